//! Putting designs into a model.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::graph_index::{GraphIndex, name_of};
use super::rule::{Place, Replacement, follows_activation};
use super::sites::{FunctionSite, Site, SiteKind, Strided, find_sites};
use super::{SurgeryError, What};
use crate::antialias::onnx_form::{OnnxSite, int, ints};
use crate::antialias::{Context, Design, DesignError, Padding, design, operator};
use crate::graph::custom::{CUSTOM_DOMAIN, CustomOperators};
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{
    DimensionValue, GraphProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TypeValue,
};
use crate::graph::{Built, LoadOptions, Network, ops};

/// The metadata key under which a saved model says what was put into it.
pub const SURGERY_KEY: &str = "aliascope.surgery";

/// How designs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One node each, whose operator is the design: every design, in memory alone.
    Memory,
    /// ONNX's own operators.
    Onnx,
}

/// A network and its file, before anything is replaced.
pub struct Patient<'a> {
    file: &'a OnnxFile,
    network: &'a Network,
    sites: Vec<Site>,
}

/// A place and the design that goes there.
#[derive(Clone, Debug)]
pub struct Graft {
    /// The place.
    pub site: Site,
    /// Which of the rules.
    pub rule: usize,
    /// The design.
    pub design: Rc<dyn Design>,
    /// What lies beyond the edge of the map that it reads.
    pub padding: Padding,
    /// Whether a downsampling follows the activation.
    pub behind_activation: bool,
    /// The map that the design reads, `[batch, channels, rows, columns]`.
    pub shape: [usize; 4],
    /// Of a strided place, the padding behind at stride 1.
    end: Vec<i64>,
}

/// How grafts are made.
#[derive(Clone, Debug)]
pub struct GraftOptions<'o> {
    /// What goes where.
    pub rules: &'o [Replacement],
    /// What must be in a node's name.
    pub pattern: Option<&'o str>,
    /// What lies beyond the edge of the maps that designs read.
    pub padding: Padding,
    /// Where downsamplings go.
    pub place: Place,
    /// By the names of functions' inputs: the range that they were seen in, for designs that are fitted.
    pub ranges: &'o HashMap<String, [f64; 2]>,
}

/// A model with designs in it.
#[derive(Debug)]
pub struct Operated {
    /// The rewritten file.
    pub file: OnnxFile,
    /// Operators of its nodes that are no ONNX; none for [`Form::Onnx`].
    pub custom: CustomOperators,
    /// Per graft: the names of the nodes that a plain network would have in the place of others. See [`Swap`].
    pub swaps: Vec<Swap>,
}

/// What one graft changed, by the names of values that nodes write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Written by nodes of the patient that the operated network does not have, or has at stride 1.
    pub before: Vec<String>,
    /// Written by the nodes that stand there now, in order.
    pub after: Vec<String>,
    /// Written by nodes between a stride and its design, which see the finer map now: before, and under what name now.
    pub between: Vec<(String, String)>,
}

impl Graft {
    /// The name of the node behind which the design stands.
    pub fn follows(&self) -> &str {
        match &self.site.kind {
            SiteKind::Strided(Strided { activation: Some(region), .. }) if self.behind_activation => &region.last,
            _ => &self.site.name,
        }
    }

    /// Its name: the design's, beside the node's.
    fn node_name(&self, taken: &HashSet<String>) -> String {
        let site = &self.site.name;
        let folder = site.rfind('/').map_or(site.as_str(), |at| &site[..at]);
        let name = format!("{folder}/{}", self.design.name());
        // A block may hold two of a kind.
        (1..)
            .map(|n| if n == 1 { name.clone() } else { format!("{name}.{n}") })
            .find(|n| !taken.contains(n))
            .unwrap_or(name)
    }

    /// The graft as it is beside others: a function is on the finer map where a stride that is replaced too follows it.
    pub fn among(&self, grafts: &[&Self]) -> Self {
        let SiteKind::Function(function) = &self.site.kind else { return self.clone() };
        let around = grafts.iter().find(|other| match &other.site.kind {
            SiteKind::Strided(Strided { activation: Some(region), .. }) if other.behind_activation => {
                function.nodes.iter().all(|node| region.nodes.contains(node))
            }
            _ => false,
        });
        let mut own = self.clone();
        if let Some(around) = around {
            own.shape[2..].copy_from_slice(&around.shape[2..]);
        }
        own
    }

    /// The stride of a strided place; 1 elsewhere.
    pub fn stride(&self) -> usize {
        match &self.site.kind {
            SiteKind::Strided(strided) => strided.window.strides.first().map_or(1, |&s| s as usize),
            SiteKind::Function(_) => 1,
        }
    }

    /// What the design writes, `[batch, channels, rows, columns]`.
    pub fn output(&self) -> [usize; 4] {
        match &self.site.kind {
            SiteKind::Strided(strided) => strided.output.map(|n| n as usize),
            SiteKind::Function(_) => self.shape,
        }
    }
}

impl<'a> Patient<'a> {
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
        let Some(pattern) = pattern else { return true };
        let exact = self.sites.iter().any(|site| site.name == pattern);
        if exact { site.name == pattern } else { site.name.contains(pattern) }
    }

    /// The places that rules are about, with their designs, in graph order.
    ///
    /// # Errors
    /// A rule without a place, a pattern that matches none, a place of two rules, a design that does not go with a
    /// place's stride or size.
    pub fn grafts(&self, options: &GraftOptions<'_>) -> Result<Vec<Graft>, SurgeryError> {
        let mut grafts: Vec<Graft> = Vec::new();
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
                if let Some(twice) = grafts.iter().find(|graft| graft.site.name == site.name) {
                    return Err(SurgeryError::Twice {
                        layer: site.name.clone(),
                        first: options.rules[twice.rule].to_string(),
                        second: rule.to_string(),
                    });
                }
                grafts.push(self.graft(site, at, options)?);
            }
        }
        let place = |graft: &Graft| self.sites.iter().position(|site| site.name == graft.site.name);
        grafts.sort_by_key(place);
        Ok(grafts)
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

    fn graft(&self, site: &Site, rule: usize, options: &GraftOptions<'_>) -> Result<Graft, SurgeryError> {
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
                Ok(Graft {
                    site: site.clone(),
                    rule,
                    design: Rc::from(made),
                    padding: options.padding,
                    behind_activation: false,
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
                let behind = match options.place {
                    Place::Paper => follows_activation(&made.name()),
                    Place::Before => false,
                    Place::After => true,
                };
                let node = self.file.graph()?.node.get(strided.node);
                if node.is_some_and(|node| node.output.iter().skip(1).any(|output| !output.is_empty())) {
                    return Err(self.refuse(site, "the places of its maxima are read, and a filter has none"));
                }
                Ok(Graft {
                    behind_activation: behind && strided.activation.is_some() && strided.what == What::Convolution,
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

    /// The model with grafts in it.
    ///
    /// # Errors
    /// For [`Form::Onnx`], a design that ONNX cannot say, or an opset that does not have its operators.
    pub fn operate(&self, grafts: &[&Graft], form: Form) -> Result<Operated, SurgeryError> {
        let index = GraphIndex::new(self.file)?;
        let mut rewriting = Rewriting {
            file: self.file,
            slots: index.graph.node.iter().map(|node| vec![node.clone()]).collect(),
            constants: Vec::new(),
            custom: CustomOperators::default(),
            taken: index.graph.node.iter().map(name_of).collect(),
            stale: HashSet::new(),
            form,
            double: is_double(index.graph),
        };
        if form == Form::Onnx {
            rewriting.check_precision()?;
        }
        let mut swaps: Vec<Option<Swap>> = vec![None; grafts.len()];
        // Functions first: a downsampling may have to follow one.
        for (at, graft) in grafts.iter().enumerate() {
            if let SiteKind::Function(function) = &graft.site.kind {
                let own = graft.among(grafts);
                swaps[at] = Some(rewriting.replace_function(&index, &own, function)?);
            }
        }
        for (at, graft) in grafts.iter().enumerate() {
            if let SiteKind::Strided(strided) = &graft.site.kind {
                let (swap, [exit, fine]) = rewriting.replace_stride(&index, graft, strided)?;
                // A function in front of it writes to the finer map now.
                for name in swaps.iter_mut().flatten().flat_map(|swap| &mut swap.after).filter(|name| **name == exit) {
                    name.clone_from(&fine);
                }
                swaps[at] = Some(swap);
            }
        }
        let (file, custom) = rewriting.finish(self.network, grafts)?;
        Ok(Operated { file, custom, swaps: swaps.into_iter().flatten().collect() })
    }

    /// The network of an operated model, loaded as the patient was.
    ///
    /// # Errors
    /// When it does not load.
    pub fn load(&self, operated: &Operated) -> Result<Network, SurgeryError> {
        let options = LoadOptions {
            input_shape: Some(self.network.input().shape.clone()),
            kind: self.network.kind(),
            device: self.network.device(),
        };
        Ok(Network::from_file_with(&operated.file, &options, &operated.custom)?)
    }
}

fn no_match(rule: &Replacement, pattern: &str, all: &[&Site]) -> SurgeryError {
    let mut scored: Vec<(f64, &str)> = all
        .iter()
        .map(|site| {
            let parts = site.name.split('/').map(|part| strsim::jaro_winkler(part, pattern));
            (parts.fold(strsim::jaro_winkler(&site.name, pattern), f64::max), site.name.as_str())
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = scored.iter().take(3).map(|(_, name)| *name).collect();
    let more = if all.len() > near.len() { format!(" and {} more", all.len() - near.len()) } else { String::new() };
    SurgeryError::NoMatch {
        what: format!("place for '{rule}'"),
        pattern: pattern.chars().take(60).collect(),
        near: format!("{}{more}", near.join(", ")),
    }
}

impl Strided {
    /// Samples at stride 1 with this padding behind.
    fn length(&self, end: &[i64]) -> [i64; 2] {
        [0, 1].map(|axis| self.input[axis] + self.window.begin[axis] + end[axis] - self.window.reach(axis) + 1)
    }

    /// The padding behind at stride 1: the node's own, or more where its last window (`ceil_mode`) or, if `whole`, a whole
    /// number of strides needs it.
    fn fine(&self, whole: bool) -> Vec<i64> {
        let own = self.length(&self.window.end);
        (0..2)
            .map(|axis| {
                let (s, outputs) = (self.window.strides[axis], self.output[2 + axis]);
                let least = (outputs - 1) * s + 1;
                let wanted = if whole { outputs * s } else { own[axis].max(least).min(outputs * s) };
                self.window.end[axis] + wanted - own[axis]
            })
            .collect()
    }

    /// A last window that sees nothing of the map has no maximum and no mean.
    fn lies_in_padding(&self, end: &[i64]) -> Option<String> {
        let length = self.length(end);
        let beyond = (0..2).any(|axis| length[axis] - 1 - self.window.begin[axis] >= self.input[axis]);
        (beyond && self.what != What::Convolution)
            .then(|| "at stride 1 its last windows would lie in its padding alone".to_owned())
    }
}

/// Whether the input is of double precision.
fn is_double(graph: &GraphProto) -> bool {
    element_type(graph) == Some(11)
}

fn element_type(graph: &GraphProto) -> Option<i32> {
    match graph.input.first()?.r#type.as_ref()?.value.as_ref()? {
        TypeValue::Tensor(tensor) => tensor.elem_type,
        _ => None,
    }
}

struct Rewriting<'a> {
    file: &'a OnnxFile,
    /// Per node of the patient: what stands in its place.
    slots: Vec<Vec<NodeProto>>,
    constants: Vec<TensorProto>,
    custom: CustomOperators,
    taken: HashSet<String>,
    /// Values whose stated shapes no longer hold.
    stale: HashSet<String>,
    form: Form,
    double: bool,
}

impl Rewriting<'_> {
    fn check_precision(&self) -> Result<(), SurgeryError> {
        let graph = self.file.graph()?;
        if matches!(element_type(graph), Some(10 | 16)) {
            return Err(SurgeryError::NotSaved(
                "it takes half precision, and designs are written in single or double".to_owned(),
            ));
        }
        Ok(())
    }

    /// The nodes of a graft from `input` to `output`, and the names of what they write.
    fn nodes(&mut self, graft: &Graft, input: &str, output: &str) -> Result<Vec<NodeProto>, SurgeryError> {
        let name = graft.node_name(&self.taken);
        self.taken.insert(name.clone());
        if self.form == Form::Memory {
            let design = Rc::clone(&graft.design);
            let padding = graft.padding;
            // What an operator is called in tables.
            let stride = graft.stride();
            let base = if stride > 1 { format!("{} /{stride}", design.name()) } else { design.name() };
            // Two designs of one name may differ: polynomials fitted to different ranges.
            let key = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base} ({n})") });
            let key = key.take(10_000).find(|key| self.custom.get(key).is_none()).unwrap_or(base);
            self.custom.insert(
                key.clone(),
                Rc::new(move |shape: &[i64]| {
                    let &[_, channels, rows, columns] = shape else {
                        return Err(format!("the design '{}' acts on maps of rows and columns", design.name()));
                    };
                    design
                        .check([channels, rows, columns].map(|n| n as usize), padding)
                        .map_err(|error| error.to_string())?;
                    Ok(Built { operator: operator(Rc::clone(&design), padding), flow: design.resampling().flow() })
                }),
            );
            return Ok(vec![NodeProto {
                name: Some(name),
                op_type: Some(key),
                domain: Some(CUSTOM_DOMAIN.to_owned()),
                input: vec![input.to_owned()],
                output: vec![output.to_owned()],
                ..Default::default()
            }]);
        }
        let site = OnnxSite {
            input: input.to_owned(),
            output: output.to_owned(),
            prefix: name,
            shape: graft.shape,
            padding: graft.padding,
            double: self.double,
        };
        let refused = |source| SurgeryError::NotOnnx { layer: graft.site.name.clone(), source };
        let form = graft.design.onnx(&site).map_err(refused)?;
        let opset = self.file.opset("");
        for node in &form.nodes {
            let operator = node.op_type.as_deref().unwrap_or("");
            // Pad takes its widths as an input, and Clip its bounds, from 11 on.
            let since = ops::find("", operator).map_or(1, |entry| entry.since).max(11);
            if opset < since {
                return Err(SurgeryError::NotSaved(format!(
                    "the design '{}' at '{}' is written with {operator}, which needs opset {since}, and the model has \
                     opset {opset}; convert or export it with a newer one",
                    graft.design.name(),
                    graft.site.name
                )));
            }
        }
        self.constants.extend(form.constants);
        self.taken.extend(form.nodes.iter().map(name_of));
        Ok(form.nodes)
    }

    fn replace_function(
        &mut self,
        index: &GraphIndex<'_>,
        graft: &Graft,
        function: &FunctionSite,
    ) -> Result<Swap, SurgeryError> {
        let nodes = self.nodes(graft, &function.input, &function.output)?;
        let before = function.nodes.iter().flat_map(|&at| index.node(at).output.clone()).collect();
        let after = nodes.iter().flat_map(|node| node.output.clone()).collect();
        for &at in &function.nodes {
            self.stale.extend(index.node(at).output.iter().filter(|name| **name != function.output).cloned());
            self.slots[at].clear();
        }
        if let Some(&last) = function.nodes.last() {
            self.slots[last] = nodes;
        }
        Ok(Swap { before, after, between: Vec::new() })
    }

    fn replace_stride(
        &mut self,
        index: &GraphIndex<'_>,
        graft: &Graft,
        strided: &Strided,
    ) -> Result<(Swap, [String; 2]), SurgeryError> {
        let node = index.node(strided.node);
        let own = node.output.first().cloned().unwrap_or_default();
        if let Some(slot) = self.slots[strided.node].first_mut() {
            *slot = at_stride_one(node, strided, &graft.end);
        }
        let region = strided.activation.as_ref().filter(|_| graft.behind_activation);
        let exit = region.map_or(own.clone(), |region| region.exit.clone());
        self.stale.insert(own.clone());
        for &at in region.iter().flat_map(|region| &region.nodes) {
            self.stale.extend(index.node(at).output.iter().filter(|name| **name != exit).cloned());
        }
        let fine = (1..)
            .map(|n| if n == 1 { format!("{exit}/fine") } else { format!("{exit}/fine.{n}") })
            .find(|name| !index.producer.contains_key(name.as_str()))
            .unwrap_or_else(|| exit.clone());
        let slot = *index.producer.get(exit.as_str()).unwrap_or(&strided.node);
        for output in self.slots[slot].iter_mut().flat_map(|node| &mut node.output).filter(|output| **output == exit) {
            output.clone_from(&fine);
        }
        let nodes = self.nodes(graft, &fine, &exit)?;
        let mut after = vec![if exit == own { fine.clone() } else { own.clone() }];
        after.extend(nodes.iter().flat_map(|node| node.output.clone()));
        self.slots[slot].extend(nodes);
        let renamed = |name: &String| if *name == exit { fine.clone() } else { name.clone() };
        let between = region.iter().flat_map(|region| &region.nodes).flat_map(|&at| &index.node(at).output);
        let between = between.map(|name| (name.clone(), renamed(name))).collect();
        Ok((Swap { before: vec![own], after, between }, [exit, fine]))
    }

    fn finish(self, network: &Network, grafts: &[&Graft]) -> Result<(OnnxFile, CustomOperators), SurgeryError> {
        let mut file = self.file.clone();
        let form = self.form;
        let Some(graph) = &mut file.model.graph else { return Ok((file, self.custom)) };
        graph.node = self.slots.into_iter().flatten().collect();
        graph.initializer.extend(self.constants);
        graph.value_info.retain(|value| !self.stale.contains(value.name.as_deref().unwrap_or("")));
        if form == Form::Onnx {
            fix_input(graph, &network.input().name, &network.input().shape);
            note(&mut file, grafts);
        } else {
            let domain = OperatorSetIdProto { domain: Some(CUSTOM_DOMAIN.to_owned()), version: Some(1) };
            file.model.opset_import.push(domain);
        }
        Ok((file, self.custom))
    }
}

/// The node with its window at every sample.
fn at_stride_one(node: &NodeProto, strided: &Strided, end: &[i64]) -> NodeProto {
    let mut node = node.clone();
    node.attribute.retain(|a| !matches!(a.name.as_deref(), Some("strides" | "pads" | "auto_pad" | "ceil_mode")));
    let pads = [strided.window.begin.as_slice(), end].concat();
    node.attribute.push(ints("strides", &[1, 1]));
    node.attribute.push(ints("pads", &pads));
    if strided.what != What::Convolution {
        node.attribute.push(int("ceil_mode", 0));
    }
    node
}

/// Rows and columns that were open: padding and constants are those of this size.
fn fix_input(graph: &mut GraphProto, name: &str, shape: &[i64]) {
    let Some(input) = graph.input.iter_mut().find(|input| input.name.as_deref() == Some(name)) else { return };
    let Some(TypeValue::Tensor(tensor)) = input.r#type.as_mut().and_then(|t| t.value.as_mut()) else { return };
    let Some(stated) = &mut tensor.shape else { return };
    for (dim, &n) in stated.dim.iter_mut().zip(shape).skip(1) {
        if !matches!(dim.value, Some(DimensionValue::Value(stated)) if stated > 0) {
            dim.value = Some(DimensionValue::Value(n));
        }
    }
}

/// Says in the metadata what was put where.
fn note(file: &mut OnnxFile, grafts: &[&Graft]) {
    let lines: Vec<String> = grafts
        .iter()
        .map(|graft| format!("{} behind {} ({} padding)", graft.design.name(), graft.follows(), graft.padding))
        .collect();
    let entries = &mut file.model.metadata_props;
    let earlier = entries.iter_mut().find(|entry| entry.key.as_deref() == Some(SURGERY_KEY));
    let text = lines.join("; ");
    match earlier {
        Some(entry) => entry.value = Some(format!("{}; {text}", entry.value.clone().unwrap_or_default())),
        None => {
            entries.push(StringStringEntryProto { key: Some(SURGERY_KEY.to_owned()), value: Some(text) });
        }
    }
}
