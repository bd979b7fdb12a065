//! Attributing images by sweeps.

use tch::{Kind, Tensor};

use crate::graph::is_finite;
use crate::measure::lee::LeeError;

use super::found::{Facts, ImageFound, LayersFound};
use super::meter::LayerMeter;
use super::plan::{Carried, Plan};
use super::sweep::{self, Outcome};
use super::{LayersError, SplitBy};

impl LayerMeter<'_> {
    /// Attributes a batch of images, `[images, input shape…]`, called `names` in messages; `progress` hears how many
    /// steps are done, and of how many.
    ///
    /// # Errors
    /// When the network fails, a result is not finite, or the memory limit is too small.
    pub fn measure(
        &mut self,
        x: &Tensor,
        names: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), LayersError> {
        let found = self.find(x, names, progress)?;
        self.take(found);
        Ok(())
    }

    /// What a sweep finds of a batch of images, as [`measure`](Self::measure) takes it up.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn find(
        &self,
        x: &Tensor,
        names: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LayersFound, LayersError> {
        let x = self.network.place(x)?;
        let name = names.join("', '");
        self.check_input(&x, &name)?;
        let outcome = tch::no_grad(|| sweep::attribute(self, &x, progress))?;
        self.check_lie(&outcome.lie, &name)?;
        self.check_octaves(&outcome.pushed, &name)?;
        let images = (0..x.size()[0]).map(|image| self.image_of(&x, &outcome, image)).collect::<Result<_, _>>()?;
        Ok(LayersFound {
            images,
            local: outcome.local,
            gauges: outcome.gauges,
            cancelling: [0.0, outcome.cancelling],
            maps: outcome.maps,
        })
    }

    /// L, `[images, output shape…]`, and what each layer's defects become at the output, J δ, `[layers, images, output
    /// shape…]`, of a batch of images `[images, input shape…]`.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn vectors(&self, x: &Tensor) -> Result<(Tensor, Tensor), LayersError> {
        let outcome = tch::no_grad(|| sweep::attribute(self, x, &mut |_, _| {}))?;
        let pushed = by_layer(&outcome.pushed, &self.plan)?;
        Ok((outcome.lie, pushed))
    }

    /// ‖J δ‖² of each octave of a layer with all below it, highest first, of one image `[1, input shape…]`: the first is the
    /// layer's own. Nothing where no layer has this name, or layers are not split by octaves.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn octaves_of(&self, layer: &str, x: &Tensor) -> Result<Vec<f64>, LayersError> {
        let place = self.plan.layers.iter().position(|own| own.name == layer);
        let Some(place) = place.filter(|_| self.options.split == SplitBy::Octave) else { return Ok(Vec::new()) };
        let x = self.network.place(x)?;
        let pushed = tch::no_grad(|| sweep::pushed_of(self, &x, place))?;
        Ok(up_to(&pushed.f_flatten(1, -1)?.f_to_kind(Kind::Double)?)?)
    }

    fn image_of(&self, x: &Tensor, outcome: &Outcome, image: i64) -> Result<ImageFound, LayersError> {
        let facts = self.facts(&x.f_narrow(0, image, 1)?, &outcome.lie.f_get(image)?, &outcome.value.f_get(image)?)?;
        Ok(ImageFound { facts, ..image_of(outcome, &self.plan, image)? })
    }

    pub(super) fn check_input(&self, x: &Tensor, image: &str) -> Result<(), LayersError> {
        match is_finite(x)? {
            true => Ok(()),
            false => Err(LeeError::not_finite("the input", image, "check the image or tensor").into()),
        }
    }

    /// An operator that takes the logarithm of what an edge overshoots has no defect there.
    fn check_octaves(&self, pushed: &Tensor, image: &str) -> Result<(), LayersError> {
        if self.options.split != SplitBy::Octave || is_finite(pushed)? {
            return Ok(());
        }
        for (layer, first) in self.plan.layers.iter().zip(self.plan.firsts()) {
            if !is_finite(&pushed.f_narrow(0, first, layer.carries.len() as i64)?)? {
                let hint = "leave out --octaves, or try --precision f64";
                let what = "what a layer makes of its input without high frequencies";
                return Err(LeeError::not_finite(what, &format!("{image}' at '{}", layer.name), hint).into());
            }
        }
        Ok(())
    }

    pub(super) fn check_lie(&self, lie: &Tensor, image: &str) -> Result<(), LayersError> {
        let hint = "check the model's weights, or try --precision f64";
        match is_finite(lie)? {
            true => Ok(()),
            false => Err(LeeError::not_finite("the Lie derivative", image, hint).into()),
        }
    }
}

/// Of the tangents of all layers, one in front of the other, the sum of each layer's.
fn by_layer(pushed: &Tensor, plan: &Plan) -> Result<Tensor, tch::TchError> {
    let sums = plan.layers.iter().zip(plan.firsts()).map(|(layer, first)| {
        let own = pushed.f_narrow(0, first, layer.carries.len() as i64)?;
        own.f_sum_dim_intlist([0].as_slice(), true, None::<Kind>)
    });
    let sums = sums.collect::<Result<Vec<_>, _>>()?;
    if sums.is_empty() { pushed.f_narrow(0, 0, 0) } else { Tensor::f_cat(&sums, 0) }
}

/// One image's sizes, of its vectors in double precision.
fn image_of(outcome: &Outcome, plan: &Plan, image: i64) -> Result<ImageFound, LayersError> {
    let flat = |x: Tensor| -> Result<Tensor, tch::TchError> { x.f_flatten(1, -1)?.f_to_kind(Kind::Double) };
    let lie = flat(outcome.lie.f_narrow(0, image, 1)?)?.f_squeeze_dim(0)?;
    // [tangents, entries]
    let pushed = flat(outcome.pushed.f_select(1, image)?)?;
    let squares = |x: &Tensor| -> Result<Vec<f64>, tch::TchError> {
        floats(&x.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?)
    };
    let whole = by_layer(&pushed, plan)?;
    let mut each = squares(&pushed)?.into_iter().zip(floats(&pushed.f_matmul(&lie)?)?);
    let parts = plan
        .layers
        .iter()
        .map(|layer| each.by_ref().take(layer.carries.len()).map(|(square, signed)| [square, signed]).collect());
    let parts = parts.collect();
    let mut octaves = Vec::new();
    for (layer, first) in plan.layers.iter().zip(plan.firsts()) {
        octaves.push(match layer.carries.first() {
            Some(Carried::Octave(_)) => up_to(&pushed.f_narrow(0, first, layer.carries.len() as i64)?)?,
            _ => Vec::new(),
        });
    }
    let mut joint = Vec::new();
    for class in plan.layers.iter().map(|layer| layer.class).collect::<std::collections::BTreeSet<_>>() {
        let members: Vec<i64> =
            (0..plan.layers.len() as i64).filter(|&i| plan.layers[i as usize].class == class).collect();
        let index = Tensor::f_from_slice(&members)?.f_to_device(whole.device())?;
        let sum = whole.f_index_select(0, &index)?.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?;
        joint.push((class, square(&sum)?));
    }
    let rest = whole.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?.f_sub(&lie)?;
    Ok(ImageFound {
        contribution: squares(&whole)?,
        signed: floats(&whole.f_matmul(&lie)?)?,
        parts,
        up_to: octaves,
        variance: Vec::new(),
        joint,
        residual: [square(&rest)?, square(&lie)?],
        facts: Facts::default(),
    })
}

/// Of octaves' vectors, `[octaves, entries]`, highest first: the squared length of each with all below it.
fn up_to(octaves: &Tensor) -> Result<Vec<f64>, tch::TchError> {
    let sums = octaves.f_flip([0])?.f_cumsum(0, Kind::Double)?.f_flip([0])?;
    floats(&sums.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?)
}

fn square(x: &Tensor) -> Result<f64, tch::TchError> {
    x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])
}

fn floats(x: &Tensor) -> Result<Vec<f64>, tch::TchError> {
    Vec::try_from(&x.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?)
}
