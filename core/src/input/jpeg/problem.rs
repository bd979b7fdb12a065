//! What keeps a JPEG file from being decoded.

/// What keeps a file from being decoded, in words.
pub(in crate::input) type Problem = String;

/// Data end early.
pub(super) const CUT: &str = "the image is cut off: its data end early; fetch it again";

/// Something is as it cannot be.
pub(super) fn damaged(what: &str) -> Problem {
    format!("the image is damaged ({what}); fetch it again")
}

/// A kind of JPEG that decoders get wrong.
pub(super) fn unsupported(what: &str) -> Problem {
    format!("the image is {what}, which is not supported; save it again as an ordinary JPEG or as PNG")
}
