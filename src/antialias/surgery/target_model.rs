//! A network whose places are known, before anything is replaced.

use std::rc::Rc;

use super::Place;
use super::insertion::{Insertion, InsertionOptions};
use super::rule::{Replacement, follows_activation};
use super::sites::{FunctionSite, Site, SiteKind, find_sites};
use super::{SurgeryError, What};
use crate::antialias::{Context, DesignError, design};
use crate::graph::Network;
use crate::graph::onnx::OnnxFile;
use crate::similar::similarity_by_parts;

/// A network and its file, before anything is replaced.
pub struct TargetModel<'a> {
    pub(super) file: &'a OnnxFile,
    pub(super) network: &'a Network,
    sites: Vec<Site>,
}

impl<'a> TargetModel<'a> {
    /// A network that was loaded from `file`.
    ///
    /// # Errors
    /// When the file has no graph.
    pub fn new(file: &'a OnnxFile, network: &'a Network) -> Result<Self, SurgeryError> {
        Ok(Self { file, network, sites: find_sites(file, network)? })
    }

    /// The network as it was.
    pub fn network(&self) -> &'a Network {
        self.network
    }

    /// All places where a design could go.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The inputs of functions that rules with fitted designs are about: their ranges are needed.
    pub fn fitted_inputs(&self, rules: &[Replacement], pattern: Option<&str>) -> Vec<String> {
        let wanted = |site: &Site| {
            self.matches(site, pattern) && rules.iter().any(|rule| rule.is_fitted() && site.is(&rule.what))
        };
        let inputs = self.sites.iter().filter(|site| wanted(site)).filter_map(|site| match &site.kind {
            SiteKind::Function(function) => Some(function.input.clone()),
            SiteKind::Strided(_) => None,
        });
        inputs.collect()
    }

    fn matches(&self, site: &Site, pattern: Option<&str>) -> bool {
        pattern.is_none_or(|pattern| self.parts(pattern).iter().any(|part| self.matches_one(site, part)))
    }

    /// The patterns of a list with commas; of a layer whose name has some, the name.
    fn parts<'p>(&self, pattern: &'p str) -> Vec<&'p str> {
        if self.sites.iter().any(|site| site.name == pattern) {
            return vec![pattern];
        }
        pattern.split(',').map(str::trim).collect()
    }

    fn matches_one(&self, site: &Site, pattern: &str) -> bool {
        let exact = self.sites.iter().any(|site| site.name == pattern);
        // Tables of layers name modules, and cut names at their front.
        let end = pattern.strip_prefix('…');
        let is_named = |name: &str| end.map_or_else(|| name.contains(pattern), |end| name.ends_with(end));
        let in_module = || {
            let nodes = self.network.steps().iter().filter(|step| site.nodes.contains(&step.name));
            nodes
                .map(|step| step.module.as_str())
                .any(|module| module == pattern || end.is_some_and(|end| module.ends_with(end)))
        };
        if exact { site.name == pattern } else { is_named(&site.name) || in_module() }
    }

    /// The places that rules are about, with their designs, in graph order.
    ///
    /// # Errors
    /// A rule without a place, a pattern that matches none, a place of two rules, a design that does not go with a
    /// place's stride or size.
    pub fn insertions(&self, options: &InsertionOptions<'_>) -> Result<Vec<Insertion>, SurgeryError> {
        self.check_parts(options)?;
        let mut insertions: Vec<Insertion> = Vec::new();
        for (at, rule) in options.rules.iter().enumerate() {
            let all: Vec<&Site> = self.sites.iter().filter(|site| site.is(&rule.what)).collect();
            if all.is_empty() {
                return Err(self.no_site(rule));
            }
            let chosen: Vec<&Site> = all.iter().copied().filter(|site| self.matches(site, options.pattern)).collect();
            if let (Some(pattern), true) = (options.pattern, chosen.is_empty()) {
                return Err(no_match(rule, pattern, &all));
            }
            for site in chosen {
                if let Some(twice) = insertions.iter().find(|insertion| insertion.site.name == site.name) {
                    return Err(SurgeryError::Twice {
                        layer: site.name.clone(),
                        first: options.rules[twice.rule].to_string(),
                        second: rule.to_string(),
                    });
                }
                insertions.push(self.insertion(site, at, options)?);
            }
        }
        let place = |insertion: &Insertion| self.sites.iter().position(|site| site.name == insertion.site.name);
        insertions.sort_by_key(place);
        Ok(insertions)
    }

    /// Refuses a part of the pattern that matches no place of any rule. Rules without a place at all are for later.
    fn check_parts(&self, options: &InsertionOptions<'_>) -> Result<(), SurgeryError> {
        let (Some(pattern), [first, ..]) = (options.pattern, options.rules) else { return Ok(()) };
        let is_wanted = |site: &&Site| options.rules.iter().any(|rule| site.is(&rule.what));
        let all: Vec<&Site> = self.sites.iter().filter(is_wanted).collect();
        let is_idle = |part: &&str| part.is_empty() || !all.iter().any(|site| self.matches_one(site, part));
        match self.parts(pattern).into_iter().find(is_idle) {
            Some(part) if !all.is_empty() => Err(no_match(first, part, &all)),
            _ => Ok(()),
        }
    }

    fn no_site(&self, rule: &Replacement) -> SurgeryError {
        let mut kinds: Vec<&str> = Vec::new();
        for site in &self.sites {
            let kind = match &site.kind {
                SiteKind::Strided(_) => "stride",
                SiteKind::Function(_) => site.operator.as_str(),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let found = match kinds.is_empty() {
            true => "it has no place on maps of rows and columns at all".to_owned(),
            false => format!("it has {}", kinds.join(", ")),
        };
        let what = if rule.what.is_stride() { "strided layer" } else { "function" };
        SurgeryError::NoSite { what: what.to_owned(), rule: rule.to_string(), found }
    }

    fn insertion(&self, site: &Site, rule: usize, options: &InsertionOptions<'_>) -> Result<Insertion, SurgeryError> {
        let replacement = &options.rules[rule];
        let at_layer = |[rows, columns]: [usize; 2], source: DesignError| SurgeryError::AtLayer {
            layer: site.name.clone(),
            shape: format!("{rows} x {columns}"),
            source,
        };
        match &site.kind {
            SiteKind::Function(FunctionSite { activation, input, shape, .. }) => {
                let shape = shape.map(|n| n as usize);
                let [_, channels, rows, columns] = shape;
                let range = options.ranges.get(input).copied().unwrap_or(Context::default().range);
                let context = Context { range, ..Context::default() };
                let made = design(&replacement.design_for(Some(activation)), &context)
                    .and_then(|made| made.check([channels, rows, columns], options.padding).map(|()| made))
                    .map_err(|error| at_layer([rows, columns], error))?;
                Ok(Insertion {
                    site: site.clone(),
                    rule,
                    design: Rc::from(made),
                    padding: options.padding,
                    after_activation: false,
                    shape,
                    end: Vec::new(),
                })
            }
            SiteKind::Strided(strided) => {
                let [batch, channels, rows, columns] = strided.output.map(|n| n as usize);
                let [s, t] = strided.window.strides[..] else {
                    return Err(self.refuse(site, "it is no window over a plane"));
                };
                if s != t {
                    return Err(
                        self.refuse(site, &format!("its strides are {s} by {t}, and designs have one for both axes"))
                    );
                }
                let context = Context { stride: s as usize, ..Context::default() };
                let made = design(&replacement.design, &context).map_err(|e| at_layer([rows, columns], e))?;
                let natural = strided.fine(false);
                let sizes = |end: &[i64]| strided.length(end).map(|n| n as usize);
                let check = |end: &[i64]| {
                    let [r, c] = sizes(end);
                    made.check([channels, r, c], options.padding).map(|()| [r, c]).map_err(|e| ([r, c], e))
                };
                let (end, [fine_rows, fine_columns]) = match check(&natural) {
                    Ok(size) => (natural, size),
                    Err((size, error)) => {
                        let whole = strided.fine(true);
                        match check(&whole) {
                            Ok(size) => (whole, size),
                            Err((size, error)) if matches!(error, DesignError::Indivisible { .. }) => {
                                return Err(at_layer(size, error));
                            }
                            Err(_) => return Err(at_layer(size, error)),
                        }
                    }
                };
                if let Some(problem) = strided.lies_in_padding(&end) {
                    return Err(self.refuse(site, &problem));
                }
                if made.resampling().output([fine_rows, fine_columns]) != [rows, columns] {
                    let got = made.resampling().output([fine_rows, fine_columns]);
                    return Err(self.refuse(
                        site,
                        &format!(
                            "with '{}' it would make {} x {} samples of {rows} x {columns}",
                            made.name(),
                            got[0],
                            got[1]
                        ),
                    ));
                }
                let after = match options.place {
                    Place::Paper => follows_activation(&made.name()),
                    Place::Before => false,
                    Place::After => true,
                };
                let node = self.file.graph()?.node.get(strided.node);
                if node.is_some_and(|node| node.output.iter().skip(1).any(|output| !output.is_empty())) {
                    return Err(self.refuse(site, "the places of its maxima are read, and a filter has none"));
                }
                Ok(Insertion {
                    after_activation: after && strided.activation.is_some() && strided.what == What::Convolution,
                    site: site.clone(),
                    rule,
                    design: Rc::from(made),
                    padding: options.padding,
                    shape: [batch, channels, fine_rows, fine_columns],
                    end,
                })
            }
        }
    }

    fn refuse(&self, site: &Site, problem: &str) -> SurgeryError {
        SurgeryError::Layer { layer: site.name.clone(), operator: site.operator.clone(), problem: problem.to_owned() }
    }
}

fn no_match(rule: &Replacement, pattern: &str, all: &[&Site]) -> SurgeryError {
    let mut scored: Vec<(f64, &str)> =
        all.iter().map(|site| (similarity_by_parts(&site.name, pattern), site.name.as_str())).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = scored.iter().take(3).map(|(_, name)| *name).collect();
    let more = if all.len() > near.len() { format!(" and {} more", all.len() - near.len()) } else { String::new() };
    SurgeryError::NoMatch {
        what: format!("place for '{rule}'"),
        pattern: pattern.chars().take(60).collect(),
        near: format!("{}{more}", near.join(", ")),
    }
}
