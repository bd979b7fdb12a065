//! Every design by name.

use super::adaa::Adaa;
use super::average::average;
use super::blurpool::{blurpool, vasconcelos};
use super::ddac::Ddac;
use super::design::{Design, DesignError};
use super::filtered::Filtered;
use super::fir::Fir;
use super::ideal::{Band, Ideal};
use super::kaiser::{KaiserRadial, kaiser, lanczos};
use super::max::MaxPool;
use super::norm::{Norm, Statistics};
use super::phase::{LearnedWeights, Polyphase};
use super::pointwise::Pointwise;
use super::resize::{Kernel, resize};
use super::upsample::{IdealUp, Interpolation};
use super::wavelet::{Wavelet, wavelet};
use super::{Entry, Listed};
use crate::spectrum::activation::Activation;
use crate::spectrum::filter::Nyquist;
use crate::spectrum::name::UnknownName;

/// What a name is completed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Context {
    /// The stride of downsamplings, the factor of upsamplings.
    pub stride: usize,
    /// The range over which polynomials are fitted.
    pub range: [f64; 2],
}

impl Default for Context {
    fn default() -> Self {
        Self { stride: 2, range: [-3.0, 3.0] }
    }
}

const fn entry(form: &'static str, examples: &'static [&'static str], note: &'static str) -> Entry {
    Entry { form, examples, note }
}

/// Every design, with the names that `all` runs.
pub const CATALOGUE: &[Entry] = &[
    entry("stride", &["stride"], ""),
    entry("max[:WINDOW]", &["max", "max:3"], "window 1 to 16; the stride where none is given"),
    entry("average[:WINDOW]", &["average"], "window 1 to 16; the stride where none is given"),
    entry(
        "blurpool[:TAPS]",
        &["blurpool:2", "blurpool:3", "blurpool:4", "blurpool:5", "blurpool:6", "blurpool:7"],
        "1 to 7 taps, 4 by default",
    ),
    entry("max-blurpool[:TAPS]", &["max-blurpool:4"], "1 to 7 taps, 4 by default"),
    entry("vasconcelos", &["vasconcelos"], ""),
    entry(
        "ideal[:zeroed|kept|split]",
        &["ideal", "ideal:kept", "ideal:split"],
        "what becomes of the coarse Nyquist harmonics",
    ),
    entry("asap", &["asap"], ""),
    entry("kaiser[:TAPS]", &["kaiser", "kaiser:24"], "1 to 64 taps, 6 times the stride by default"),
    entry("kaiser-radial[:TAPS]", &["kaiser-radial"], "1 to 64 taps, 6 times the stride by default"),
    entry("lanczos[:LOBES]", &["lanczos:3"], "1 to 8 lobes, 3 by default"),
    entry(
        "wavelet:haar|db2|db3|db4|bior3.3",
        &["wavelet:haar", "wavelet:db2", "wavelet:db3", "wavelet:db4", "wavelet:bior3.3"],
        "made for stride 2",
    ),
    entry("bilinear", &["bilinear"], "antialiased resize"),
    entry("bicubic", &["bicubic"], "antialiased resize"),
    entry("aps[:TAPS]", &["aps", "aps:3"], "a binomial filter of 1 to 7 taps on what is kept"),
    entry("lps", &["lps"], "seeded weights here, given ones in the library"),
    entry("ddac", &["ddac"], "seeded weights here, given ones in the library"),
    entry(
        "ACTIVATION",
        &["relu", "relu6", "leaky_relu", "gelu", "tanh"],
        "relu, relu6, leaky_relu[:SLOPE], gelu, tanh, elu, hardswish, mish, sigmoid, sin, abs, poly:C0,C1,…",
    ),
    entry("softplus, silu", &["softplus", "silu"], "smooth stand-ins for relu"),
    entry(
        "filtered:ACTIVATION:2x|4x[:ideal]",
        &["filtered:relu:2x", "filtered:relu:4x", "filtered:relu:2x:ideal", "filtered:relu:4x:ideal"],
        "2x to 8x; filtered:2x is filtered:relu:2x",
    ),
    entry("afc", &["afc"], "quadratic with ideal filters"),
    entry(
        "polyfit:ACTIVATION:DEGREE",
        &["polyfit:relu:2", "polyfit:relu:4", "polyfit:relu:6"],
        "degree 1 to 12, over the input's range",
    ),
    entry("adaa:ACTIVATION", &["adaa:relu"], ""),
    entry("layernorm[:afc]", &["layernorm", "layernorm:afc"], "per pixel, or AFC's"),
    entry("batchnorm", &["batchnorm"], ""),
    entry("instancenorm", &["instancenorm"], ""),
    entry("groupnorm[:GROUPS]", &["groupnorm:2"], "2 groups by default"),
    entry(
        "upsample:nearest|bilinear|transposed|fir|ideal",
        &["upsample:nearest", "upsample:bilinear", "upsample:transposed", "upsample:fir", "upsample:ideal"],
        "by the stride",
    ),
];

/// The first words of names, for suggestions.
const WORDS: [&str; 48] = [
    "stride",
    "max",
    "average",
    "blurpool",
    "blurpool:3",
    "blurpool:5",
    "max-blurpool",
    "vasconcelos",
    "ideal",
    "ideal:kept",
    "ideal:split",
    "asap",
    "kaiser",
    "kaiser-radial",
    "lanczos",
    "wavelet:haar",
    "wavelet:db2",
    "wavelet:db3",
    "wavelet:db4",
    "wavelet:bior3.3",
    "bilinear",
    "bicubic",
    "aps",
    "lps",
    "ddac",
    "relu",
    "relu6",
    "leaky_relu",
    "gelu",
    "silu",
    "tanh",
    "softplus",
    "elu",
    "hardswish",
    "mish",
    "sigmoid",
    "filtered:relu:2x",
    "afc",
    "polyfit:relu:4",
    "adaa:relu",
    "layernorm",
    "layernorm:afc",
    "batchnorm",
    "instancenorm",
    "groupnorm",
    "upsample:nearest",
    "upsample:bilinear",
    "upsample:ideal",
];

/// The names that `all` stands for, in the list's order.
pub fn all_names() -> Vec<&'static str> {
    CATALOGUE.iter().flat_map(|entry| entry.examples.iter().copied()).collect()
}

/// Splits `blurpool:3,poly:0,1,0.5,aps` at commas that begin a name, and replaces `all`.
pub fn split_names(list: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in list.split(',').map(str::trim) {
        let is_number = part.parse::<f64>().is_ok();
        match names.last_mut() {
            Some(last) if is_number => {
                last.push(',');
                last.push_str(part);
            }
            _ if part == "all" => names.extend(all_names().into_iter().map(str::to_owned)),
            _ => names.push(part.to_owned()),
        }
    }
    names
}

/// The design of this name.
///
/// # Errors
/// An unknown name, with the nearest ones; arguments out of range; a stride that the design is not made for.
pub fn design(name: &str, context: &Context) -> Result<Box<dyn Design>, DesignError> {
    let s = context.stride;
    let refuse = |reason: String| DesignError::Arguments { given: name.chars().take(60).collect(), reason };
    if s == 0 || s > 64 {
        let remedy = "strides from 1 to 64 are supported".to_owned();
        return Err(DesignError::Stride { design: name.chars().take(60).collect(), stride: s, remedy });
    }
    let (word, rest) = name.split_once(':').map_or((name, None), |(word, rest)| (word, Some(rest)));
    let none = || match rest {
        None => Ok(()),
        Some(_) => Err(refuse(format!("'{word}' takes no arguments"))),
    };
    let count = |what: &str, usual: usize, most: usize| match rest {
        None => Ok(usual),
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| refuse(format!("'{word}:' takes {what} from 1 to {most}"))),
    };
    let activation = |text: &str| text.parse::<Activation>().map_err(|error| refuse(error.to_string()));
    Ok(match word {
        "stride" => {
            none()?;
            Box::new(Fir::stride(s))
        }
        "max" => Box::new(MaxPool::new(count("a window", s, 16)?, 1, s)),
        "average" => Box::new(average(count("a window", s, 16)?, s)),
        "blurpool" => Box::new(blurpool(count("taps", 4, 7)?, s)),
        "max-blurpool" => Box::new(MaxPool::new(s, count("taps", 4, 7)?, s)),
        "vasconcelos" => {
            none()?;
            Box::new(vasconcelos(s))
        }
        "ideal" => {
            let nyquist = match rest {
                None | Some("zeroed") => Nyquist::Zeroed,
                Some("kept") => Nyquist::Kept,
                Some("split") => Nyquist::Split,
                Some(_) => return Err(refuse("'ideal:' takes zeroed, kept or split".to_owned())),
            };
            Box::new(Ideal::new(Band::Flat(nyquist), s))
        }
        "asap" => {
            none()?;
            Box::new(Ideal::new(Band::Hamming, s))
        }
        "kaiser" => Box::new(kaiser(rest.map(|_| count("taps", 1, 64)).transpose()?, s)),
        "kaiser-radial" => Box::new(KaiserRadial::new(rest.map(|_| count("taps", 1, 64)).transpose()?, s)?),
        "lanczos" => Box::new(lanczos(count("lobes", 3, 8)?, s)),
        "wavelet" => {
            let found = Wavelet::ALL.into_iter().find(|wavelet| rest == Some(wavelet.name()));
            let found = found.ok_or_else(|| refuse("'wavelet:' takes haar, db2, db3, db4 or bior3.3".to_owned()))?;
            if s != 2 {
                let remedy = "a wavelet halves: use --stride 2".to_owned();
                return Err(DesignError::Stride { design: name.to_owned(), stride: s, remedy });
            }
            Box::new(wavelet(found, s))
        }
        "bilinear" => {
            none()?;
            Box::new(resize(Kernel::Bilinear, s))
        }
        "bicubic" => {
            none()?;
            Box::new(resize(Kernel::Bicubic, s))
        }
        "aps" => Box::new(Polyphase::aps(count("taps", 1, 7)?, s)),
        "lps" => {
            none()?;
            Box::new(Polyphase::lps(LearnedWeights::Seeded(1), s))
        }
        "ddac" => {
            none()?;
            Box::new(Ddac::new(3, 1, s, None))
        }
        "filtered" => filtered(rest.unwrap_or(""), &refuse, &activation)?,
        "afc" => {
            none()?;
            let (coefficients, scale) = Filtered::AFC;
            Box::new(Filtered::afc(coefficients, scale))
        }
        "polyfit" => {
            let parts = rest.and_then(|rest| rest.rsplit_once(':'));
            let degree = parts.and_then(|(_, degree)| degree.parse().ok()).filter(|d: &usize| (1..=12).contains(d));
            let (Some((of, _)), Some(degree)) = (parts, degree) else {
                return Err(refuse(
                    "write polyfit:ACTIVATION:DEGREE with a degree from 1 to 12, as polyfit:relu:4".to_owned(),
                ));
            };
            Box::new(Pointwise::fitted(&activation(of)?, degree, context.range))
        }
        "adaa" => Box::new(Adaa::new(activation(rest.unwrap_or("relu"))?)?),
        "layernorm" => Box::new(Norm::new(match rest {
            None => Statistics::Pixel,
            Some("afc") => Statistics::Afc,
            Some(_) => return Err(refuse("'layernorm:' takes afc".to_owned())),
        })),
        "batchnorm" => {
            none()?;
            Box::new(Norm::new(Statistics::Batch))
        }
        "instancenorm" => {
            none()?;
            Box::new(Norm::new(Statistics::Instance))
        }
        "groupnorm" => Box::new(Norm::new(Statistics::Group(count("groups", 2, 64)?))),
        "upsample" => match rest {
            Some("nearest") => Box::new(Interpolation::nearest(s)),
            Some("bilinear") => Box::new(Interpolation::bilinear(s)),
            Some("transposed") => Box::new(Interpolation::transposed(s)),
            Some("fir") => Box::new(Interpolation::fir(s)),
            Some("ideal") => Box::new(IdealUp::new(s)),
            _ => return Err(refuse("'upsample:' takes nearest, bilinear, transposed, fir or ideal".to_owned())),
        },
        "softplus" | "silu" => Box::new(Pointwise::smooth(activation(name)?)),
        _ => match name.parse::<Activation>() {
            Ok(activation) => Box::new(Pointwise::plain(activation)),
            Err(crate::spectrum::activation::ActivationError::Unknown(_)) => {
                return Err(UnknownName::new("design", name, &WORDS).into());
            }
            Err(error) => return Err(refuse(error.to_string())),
        },
    })
}

/// `relu:2x`, `relu:2x:ideal`, `2x`.
fn filtered(
    rest: &str,
    refuse: &dyn Fn(String) -> DesignError,
    activation: &dyn Fn(&str) -> Result<Activation, DesignError>,
) -> Result<Box<dyn Design>, DesignError> {
    let form = "write filtered:ACTIVATION:2x, 4x or up to 8x, and :ideal for ideal filters, as filtered:relu:2x";
    let (rest, ideal) = rest.strip_suffix(":ideal").map_or((rest, false), |rest| (rest, true));
    let (of, factor) = rest.rsplit_once(':').unwrap_or(("relu", rest));
    let factor = factor.strip_suffix('x').and_then(|n| n.parse::<usize>().ok()).filter(|n| (2..=8).contains(n));
    let factor = factor.ok_or_else(|| refuse(form.to_owned()))?;
    let activation = activation(of)?;
    Ok(if ideal { Box::new(Filtered::ideal(activation, factor)) } else { Box::new(Filtered::fir(activation, factor)) })
}

/// Every name that `all` runs, with what is known of it.
///
/// # Errors
/// None for strides that every design supports.
pub fn list(context: &Context) -> Result<Vec<Listed>, DesignError> {
    all_names()
        .into_iter()
        .map(|name| {
            let design = design(name, context)?;
            Ok(Listed {
                name: design.name(),
                kind: design.kind(),
                guarantee: design.guarantee(),
                about: design.about(),
            })
        })
        .collect()
}
