//! A value while a network runs.

use tch::Tensor;

use super::operator::Torch;

/// A value while the network runs.
#[derive(Debug)]
pub struct Value {
    /// `[stack, shape…]`: first the images, then tangent by tangent the images' tangents.
    pub stack: Tensor,
    /// How many tangents each image has; tangents that other values have beyond these are zero here.
    pub tangents: i64,
}

impl Value {
    /// The primals, `[images, shape…]`: a view.
    ///
    /// # Errors
    /// When libtorch refuses; so for the next.
    pub fn primal(&self, images: i64) -> Torch<Tensor> {
        self.stack.f_narrow(0, 0, images)
    }

    /// The tangents, `[tangents, images, shape…]`: a view; none where the value does not move.
    pub fn tangent(&self, images: i64) -> Torch<Option<Tensor>> {
        if self.tangents == 0 {
            return Ok(None);
        }
        let rest = self.stack.f_narrow(0, images, images * self.tangents)?;
        let mut size = vec![self.tangents, images];
        size.extend(&self.stack.size()[1..]);
        Ok(Some(rest.f_view(size.as_slice())?))
    }

    /// Tangents `from`, and `count` of them in all, as a stack `[count·images, shape…]`: a view.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn tangents_from(&self, images: i64, from: i64, count: i64) -> Torch<Tensor> {
        self.stack.f_narrow(0, images * (1 + from), images * count)
    }

    /// The stack with room for `tangents` tangents: zeros where there were none.
    ///
    /// # Errors
    /// When libtorch cannot allocate it.
    pub fn widened(&self, images: i64, tangents: i64) -> Torch<Tensor> {
        if self.tangents >= tangents {
            return Ok(self.stack.shallow_clone());
        }
        let had = self.stack.size()[0];
        let wide = self.room(images, tangents)?;
        wide.f_narrow(0, 0, had)?.f_copy_(&self.stack)?;
        Ok(wide)
    }

    /// A stack like this one for `tangents` tangents: entries that this one has are not filled, others are zero.
    pub(super) fn room(&self, images: i64, tangents: i64) -> Torch<Tensor> {
        let (mut size, strides) = (self.stack.size(), self.stack.stride());
        let (had, entry) = (size[0], size[1..].iter().product::<i64>());
        size[0] = images * (1 + tangents);
        let options = (self.stack.kind(), self.stack.device());
        // In the memory format that it has, channels last or not, where each entry of the stack lies in one piece.
        let wide = if strides[0] == entry && self.stack.numel() > 0 {
            Tensor::f_empty_strided(size.as_slice(), strides.as_slice(), options)?
        } else {
            Tensor::f_empty(size.as_slice(), options)?
        };
        if size[0] > had {
            let _ = wide.f_narrow(0, had, size[0] - had)?.f_zero_()?;
        }
        Ok(wide)
    }
}
