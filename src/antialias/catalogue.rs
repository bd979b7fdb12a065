//! Every design by name: one table, from which the list, the help and the reading of names follow.

use std::borrow::Cow;

use super::adaa::Adaa;
use super::average::average;
use super::blurpool::{blurpool, vasconcelos};
use super::bspline::bspline;
use super::ddac::Ddac;
use super::design::{Design, DesignError};
use super::filtered::Filtered;
use super::fir::Fir;
use super::ideal::{Band, Ideal};
use super::kaiser::{KaiserRadial, kaiser, lanczos};
use super::max::MaxPool;
use super::norm::{Norm, Statistics};
use super::phase::{LearnedWeights, Polyphase};
use super::plane::Taps;
use super::pointwise::Pointwise;
use super::resize::{Kernel, resize};
use super::upsample::{IdealUp, Interpolation};
use super::wavelet::{Wavelet, wavelet};
use super::{Entry, Listed};
use crate::spectrum::activation::{Activation, ActivationError};
use crate::spectrum::filter::{Filter, Nyquist};
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

type Made = Result<Box<dyn Design>, DesignError>;

/// A design, or a small family of them: how it is named, and how it is made of a name.
struct Row {
    /// How the name is written: its word, and then what may or must stand after it; several words with commas between.
    form: &'static str,
    /// The names that `all` runs.
    examples: &'static [&'static str],
    /// What may be put in the name.
    note: &'static str,
    /// The design of a name with this word.
    build: fn(&Name<'_>) -> Made,
}

/// Stands in a form for the name of any activation that has no row of its own.
const ACTIVATION: &str = "ACTIVATION";

/// Every design. What [`catalogue`] lists, what `all` runs, what [`design`] reads and what is suggested for a name that
/// is not known, all come from here.
const DESIGNS: &[Row] = &[
    Row { form: "stride", examples: &["stride"], note: "", build: |name| name.plain(Fir::stride(name.stride)) },
    Row {
        form: "max[:WINDOW]",
        examples: &["max", "max:3"],
        note: "window 1 to 16; the stride where none is given",
        build: |name| boxed(MaxPool::new(name.count("a window", name.stride, 16)?, 1, name.stride)),
    },
    Row {
        form: "average[:WINDOW]",
        examples: &["average"],
        note: "window 1 to 16; the stride where none is given",
        build: |name| boxed(average(name.count("a window", name.stride, 16)?, name.stride)),
    },
    Row {
        form: "blurpool[:TAPS]",
        examples: &["blurpool:2", "blurpool:3", "blurpool:4", "blurpool:5", "blurpool:6", "blurpool:7"],
        note: "1 to 7 taps, 4 by default",
        build: |name| boxed(blurpool(name.count("taps", 4, 7)?, name.stride)),
    },
    Row { form: "bspline", examples: &["bspline"], note: "", build: |name| name.plain(bspline(name.stride)) },
    Row {
        form: "max-blurpool[:TAPS]",
        examples: &["max-blurpool:4"],
        note: "1 to 7 taps, 4 by default",
        build: |name| boxed(MaxPool::new(name.stride, name.count("taps", 4, 7)?, name.stride)),
    },
    Row {
        form: "vasconcelos",
        examples: &["vasconcelos"],
        note: "",
        build: |name| name.plain(vasconcelos(name.stride)),
    },
    Row {
        form: "ideal[:zeroed|kept|split]",
        examples: &["ideal", "ideal:kept", "ideal:split"],
        note: "what becomes of the coarse Nyquist harmonics",
        build: |name| {
            let nyquist = match name.rest {
                None | Some("zeroed") => Nyquist::Zeroed,
                Some("kept") => Nyquist::Kept,
                Some("split") => Nyquist::Split,
                Some(_) => return name.refuse("'ideal:' takes zeroed, kept or split"),
            };
            boxed(Ideal::new(Band::Flat(nyquist), name.stride))
        },
    },
    Row {
        form: "asap",
        examples: &["asap"],
        note: "",
        build: |name| name.plain(Ideal::new(Band::Hamming, name.stride)),
    },
    Row {
        form: "kaiser[:TAPS]",
        examples: &["kaiser", "kaiser:24"],
        note: "1 to 64 taps, 6 times the stride by default",
        build: |name| boxed(kaiser(name.count_if_given("taps", 64)?, name.stride)),
    },
    Row {
        form: "kaiser-radial[:TAPS]",
        examples: &["kaiser-radial"],
        note: "1 to 64 taps, 6 times the stride by default",
        build: |name| boxed(KaiserRadial::new(name.count_if_given("taps", 64)?, name.stride)?),
    },
    Row {
        form: "taps:W0,W1,…",
        examples: &[],
        note: "these taps along rows and columns, as they are; all filters of `theorem --filter` are understood",
        build: |name| match name.given.parse() {
            Ok(Filter::Taps(taps)) if taps.len() <= 64 => {
                boxed(Fir::new(name.given, "these taps before the stride", Taps::centred(taps), name.stride))
            }
            Ok(_) => name.refuse("'taps:' takes 1 to 64 numbers, as in taps:0.25,0.5,0.25"),
            Err(error) => name.refuse(&error.to_string()),
        },
    },
    Row {
        form: "lanczos[:LOBES]",
        examples: &["lanczos:3"],
        note: "1 to 8 lobes, 3 by default",
        build: |name| boxed(lanczos(name.count("lobes", 3, 8)?, name.stride)),
    },
    Row {
        form: "wavelet:haar|db2|db3|db4|bior3.3",
        examples: &["wavelet:haar", "wavelet:db2", "wavelet:db3", "wavelet:db4", "wavelet:bior3.3"],
        note: "made for stride 2",
        build: |name| {
            let Some(found) = Wavelet::ALL.into_iter().find(|wavelet| name.rest == Some(wavelet.name())) else {
                return name.refuse("'wavelet:' takes haar, db2, db3, db4 or bior3.3");
            };
            if name.stride != 2 {
                let remedy = "a wavelet halves: use --stride 2".to_owned();
                return Err(DesignError::Stride { design: name.given.to_owned(), stride: name.stride, remedy });
            }
            boxed(wavelet(found, name.stride))
        },
    },
    Row {
        form: "bilinear",
        examples: &["bilinear"],
        note: "antialiased resize",
        build: |name| name.plain(resize(Kernel::Bilinear, name.stride)),
    },
    Row {
        form: "bicubic",
        examples: &["bicubic"],
        note: "antialiased resize",
        build: |name| name.plain(resize(Kernel::Bicubic, name.stride)),
    },
    Row {
        form: "aps[:TAPS]",
        examples: &["aps", "aps:3"],
        note: "a binomial filter of 1 to 7 taps on what is kept",
        build: |name| boxed(Polyphase::aps(name.count("taps", 1, 7)?, name.stride)),
    },
    Row {
        form: "lps",
        examples: &["lps"],
        note: "seeded weights here, given ones in the library",
        build: |name| name.plain(Polyphase::lps(LearnedWeights::Seeded(1), name.stride)),
    },
    Row {
        form: "ddac",
        examples: &["ddac"],
        note: "seeded weights here, given ones in the library",
        build: |name| name.plain(Ddac::new(3, 1, name.stride, None)),
    },
    Row {
        form: ACTIVATION,
        examples: &["relu", "relu6", "leaky_relu", "gelu", "tanh"],
        note: "",
        build: |name| boxed(Pointwise::plain(name.activation(name.given)?)),
    },
    Row {
        form: "softplus, silu",
        examples: &["softplus", "silu"],
        note: "smooth stand-ins for relu",
        build: |name| boxed(Pointwise::smooth(name.activation(name.given)?)),
    },
    Row {
        form: "filtered:ACTIVATION:2x|4x[:ideal]",
        examples: &["filtered:relu:2x", "filtered:relu:4x", "filtered:relu:2x:ideal", "filtered:relu:4x:ideal"],
        note: "2x to 8x; filtered:2x is filtered:relu:2x",
        build: filtered,
    },
    Row {
        form: "afc",
        examples: &["afc"],
        note: "quadratic with ideal filters",
        build: |name| {
            let (coefficients, scale) = Filtered::AFC;
            name.plain(Filtered::afc(coefficients, scale))
        },
    },
    Row {
        form: "polyfit:ACTIVATION:DEGREE",
        examples: &["polyfit:relu:2", "polyfit:relu:4", "polyfit:relu:6"],
        note: "degree 1 to 12, over the input's range",
        build: |name| {
            let parts = name.rest.and_then(|rest| rest.rsplit_once(':'));
            let degree = parts.and_then(|(_, degree)| degree.parse().ok()).filter(|d: &usize| (1..=12).contains(d));
            let (Some((of, _)), Some(degree)) = (parts, degree) else {
                return name.refuse("write polyfit:ACTIVATION:DEGREE with a degree from 1 to 12, as polyfit:relu:4");
            };
            boxed(Pointwise::fitted(&name.activation(of)?, degree, name.range))
        },
    },
    Row {
        form: "adaa:ACTIVATION",
        examples: &["adaa:relu"],
        note: "",
        build: |name| boxed(Adaa::new(name.activation(name.rest.unwrap_or("relu"))?)?),
    },
    Row {
        form: "layernorm[:afc]",
        examples: &["layernorm", "layernorm:afc"],
        note: "per pixel, or AFC's",
        build: |name| match name.rest {
            None => boxed(Norm::new(Statistics::Pixel)),
            Some("afc") => boxed(Norm::new(Statistics::Afc)),
            Some(_) => name.refuse("'layernorm:' takes afc"),
        },
    },
    Row {
        form: "batchnorm",
        examples: &["batchnorm"],
        note: "",
        build: |name| name.plain(Norm::new(Statistics::Batch)),
    },
    Row {
        form: "instancenorm",
        examples: &["instancenorm"],
        note: "",
        build: |name| name.plain(Norm::new(Statistics::Instance)),
    },
    Row {
        form: "groupnorm[:GROUPS]",
        examples: &["groupnorm:2"],
        note: "2 groups by default",
        build: |name| boxed(Norm::new(Statistics::Group(name.count("groups", 2, 64)?))),
    },
    Row {
        form: "upsample:nearest|bilinear|transposed|fir|ideal",
        examples: &["upsample:nearest", "upsample:bilinear", "upsample:transposed", "upsample:fir", "upsample:ideal"],
        note: "by the stride",
        build: |name| match name.rest {
            Some("nearest") => boxed(Interpolation::nearest(name.stride)),
            Some("bilinear") => boxed(Interpolation::bilinear(name.stride)),
            Some("transposed") => boxed(Interpolation::transposed(name.stride)),
            Some("fir") => boxed(Interpolation::fir(name.stride)),
            Some("ideal") => boxed(IdealUp::new(name.stride)),
            _ => name.refuse("'upsample:' takes nearest, bilinear, transposed, fir or ideal"),
        },
    },
];

impl Row {
    /// The words that names of it begin with.
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.form.split(", ").filter_map(|form| form.split(['[', ':']).next()).filter(|word| *word != ACTIVATION)
    }
}

/// A name, taken apart, with what it is completed with.
struct Name<'n> {
    given: &'n str,
    word: &'n str,
    /// What stands after the first colon.
    rest: Option<&'n str>,
    stride: usize,
    range: [f64; 2],
}

impl Name<'_> {
    fn error(&self, reason: impl Into<String>) -> DesignError {
        DesignError::Arguments { given: self.given.chars().take(60).collect(), reason: reason.into() }
    }

    fn refuse(&self, reason: &str) -> Made {
        Err(self.error(reason))
    }

    /// A design whose name takes no arguments.
    fn plain(&self, design: impl Design + 'static) -> Made {
        match self.rest {
            None => boxed(design),
            Some(_) => Err(self.error(format!("'{}' takes no arguments", self.word))),
        }
    }

    /// A number from 1 to `most`; `usual` where none is given.
    fn count(&self, what: &str, usual: usize, most: usize) -> Result<usize, DesignError> {
        Ok(self.count_if_given(what, most)?.unwrap_or(usual))
    }

    fn count_if_given(&self, what: &str, most: usize) -> Result<Option<usize>, DesignError> {
        let Some(text) = self.rest else { return Ok(None) };
        let number = text.parse::<usize>().ok().filter(|n| (1..=most).contains(n));
        let error = || self.error(format!("'{}:' takes {what} from 1 to {most}", self.word));
        number.map(Some).ok_or_else(error)
    }

    fn activation(&self, text: &str) -> Result<Activation, DesignError> {
        text.parse().map_err(|error: ActivationError| self.error(error.to_string()))
    }
}

fn boxed(design: impl Design + 'static) -> Made {
    Ok(Box::new(design))
}

/// How every design is named, in the list's order.
pub fn catalogue() -> Vec<Entry> {
    let note = |row: &Row| if row.form == ACTIVATION { Activation::grammar() } else { row.note.to_owned() };
    DESIGNS.iter().map(|row| Entry { form: row.form, examples: row.examples, note: note(row) }).collect()
}

/// The names that `all` stands for, in the list's order.
pub fn all_names() -> Vec<&'static str> {
    DESIGNS.iter().flat_map(|row| row.examples.iter().copied()).collect()
}

/// What is suggested in the place of a name that is not known.
fn suggestions() -> Vec<&'static str> {
    let mut words: Vec<&str> = Vec::new();
    let all = DESIGNS.iter().flat_map(Row::words).chain(all_names()).chain(Activation::names());
    for word in all {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
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

/// A filter's name among the designs, which are named by their papers.
fn as_design(name: &str) -> Cow<'_, str> {
    match name {
        "none" => Cow::Borrowed("stride"),
        "ideal-kept" => Cow::Borrowed("ideal:kept"),
        "ideal-split" => Cow::Borrowed("ideal:split"),
        _ => match name.strip_prefix("binomial-") {
            Some(taps) => Cow::Owned(format!("blurpool:{taps}")),
            None => Cow::Borrowed(name),
        },
    }
}

/// The design of this name, or of the filter of this name.
///
/// # Errors
/// An unknown name, with the nearest ones; arguments out of range; a stride that the design is not made for.
pub fn design(name: &str, context: &Context) -> Result<Box<dyn Design>, DesignError> {
    let stride = context.stride;
    if stride == 0 || stride > 64 {
        let remedy = "strides from 1 to 64 are supported".to_owned();
        return Err(DesignError::Stride { design: name.chars().take(60).collect(), stride, remedy });
    }
    let known = as_design(name);
    let name = known.as_ref();
    let (word, rest) = name.split_once(':').map_or((name, None), |(word, rest)| (word, Some(rest)));
    let parts = Name { given: name, word, rest, stride, range: context.range };
    let own = DESIGNS.iter().find(|row| row.words().any(|own| own == word));
    let plain = || DESIGNS.iter().find(|row| row.form == ACTIVATION && Activation::names().contains(&word));
    match own.or_else(plain) {
        Some(row) => (row.build)(&parts),
        None => Err(UnknownName::new("design", name, &suggestions()).into()),
    }
}

/// `relu:2x`, `relu:2x:ideal`, `2x`.
fn filtered(name: &Name<'_>) -> Made {
    let form = "write filtered:ACTIVATION:2x, 4x or up to 8x, and :ideal for ideal filters, as filtered:relu:2x";
    let rest = name.rest.unwrap_or("");
    let (rest, ideal) = rest.strip_suffix(":ideal").map_or((rest, false), |rest| (rest, true));
    let (of, factor) = rest.rsplit_once(':').unwrap_or(("relu", rest));
    let factor = factor.strip_suffix('x').and_then(|n| n.parse::<usize>().ok()).filter(|n| (2..=8).contains(n));
    let factor = factor.ok_or_else(|| name.error(form))?;
    let activation = name.activation(of)?;
    if ideal { boxed(Filtered::ideal(activation, factor)) } else { boxed(Filtered::fir(activation, factor)) }
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
