//! Finds the first number that JSON cannot hold: serde_json would write NaN and infinity as a silent `null`.

use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkError {
    /// NaN or infinity, and the path of fields and indices to it.
    #[error("{0}")]
    NotFinite(String),
    /// The value's own serialisation failed.
    #[error("{0}")]
    Other(String),
}

impl Error for WalkError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

/// Walks through `value`; an error names the first number that is not finite, as `generators.rotate.lee is NaN`.
pub(super) fn check_finite(value: &impl Serialize) -> Result<(), WalkError> {
    value.serialize(&mut Walk { path: Vec::new(), index: Vec::new() })
}

struct Walk {
    path: Vec<String>,
    /// The next index of each open sequence.
    index: Vec<usize>,
}

impl Walk {
    fn number(&self, value: f64) -> Result<(), WalkError> {
        if value.is_finite() {
            return Ok(());
        }
        let place = if self.path.is_empty() { "the result".to_owned() } else { self.path.join(".").replace(".[", "[") };
        Err(WalkError::NotFinite(format!("{place} is {value}")))
    }

    fn inside(&mut self, name: String, value: &(impl Serialize + ?Sized)) -> Result<(), WalkError> {
        self.path.push(name);
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }

    fn open(&mut self) -> Result<&mut Self, WalkError> {
        self.index.push(0);
        Ok(self)
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), WalkError> {
        let place = self.index.last_mut().map_or(0, |next| std::mem::replace(next, *next + 1));
        self.inside(format!("[{place}]"), value)
    }

    fn close(&mut self) -> Result<(), WalkError> {
        self.index.pop();
        Ok(())
    }
}

macro_rules! nothing_to_check {
    ($($method:ident($($argument:ty),*)),+ $(,)?) => {
        $(fn $method(self, $(_: $argument),*) -> Result<(), WalkError> { Ok(()) })+
    };
}

impl<'a> Serializer for &'a mut Walk {
    type Ok = ();
    type Error = WalkError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    nothing_to_check! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_char(char),
        serialize_i128(i128), serialize_u128(u128), serialize_str(&str), serialize_bytes(&[u8]), serialize_none(),
        serialize_unit(), serialize_unit_struct(&'static str), serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_f32(self, value: f32) -> Result<(), WalkError> {
        self.number(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), WalkError> {
        self.number(value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WalkError> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), WalkError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WalkError> {
        self.inside(variant.to_owned(), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, WalkError> {
        self.open()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, WalkError> {
        self.open()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, WalkError> {
        self.open()
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, WalkError> {
        self.open()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, WalkError> {
        Ok(Entries { walk: self, key: String::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, WalkError> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, WalkError> {
        Ok(self)
    }
}

macro_rules! elements {
    ($($kind:ident::$method:ident),+) => {
        $(impl $kind for &mut Walk {
            type Ok = ();
            type Error = WalkError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WalkError> {
                self.element(value)
            }
            fn end(self) -> Result<(), WalkError> {
                self.close()
            }
        })+
    };
}
elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($kind:ident),+) => {
        $(impl $kind for &mut Walk {
            type Ok = ();
            type Error = WalkError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), WalkError> {
                self.inside(name.to_owned(), value)
            }
            fn end(self) -> Result<(), WalkError> {
                Ok(())
            }
        })+
    };
}
fields!(SerializeStruct, SerializeStructVariant);

struct Entries<'a> {
    walk: &'a mut Walk,
    key: String,
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = WalkError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WalkError> {
        self.key = serde_json::to_value(key)
            .map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned))
            .map_err(WalkError::custom)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WalkError> {
        let key = std::mem::take(&mut self.key);
        self.walk.inside(key, value)
    }

    fn end(self) -> Result<(), WalkError> {
        Ok(())
    }
}
