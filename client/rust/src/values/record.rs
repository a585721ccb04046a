//! Instances of named types.

use super::{FromValue, Value, ValueError};
use crate::v1;

/// An instance of a named Python type: its fields, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The type: `"module:Qualified.name"`; empty for a struct of this program's.
    pub type_name: String,
    /// Which Python idiom the type is.
    pub form: RecordForm,
    /// The fields; for an Enum's member `name` and `value`. No name may come twice.
    pub fields: Vec<(String, Value)>,
}

impl Record {
    /// A record without fields, for a function whose type hint says what to make of it.
    pub fn new(type_name: impl Into<String>) -> Record {
        Record { type_name: type_name.into(), ..Record::default() }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Record {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Takes a field out and converts it: what a [`FromValue`] for a struct is made of.
    ///
    /// # Errors
    /// If there is no such field, or it is something else.
    pub fn take<T: FromValue>(&mut self, name: &str) -> Result<T, ValueError> {
        let at = self.fields.iter().position(|(field, _)| field == name);
        let Some(at) = at else {
            return Err(ValueError::new(format!("a {} has no field {name:?}", self.type_name)));
        };
        T::from_value(self.fields.remove(at).1).map_err(|error| error.within(format!(".{name}")))
    }
}

/// Which Python idiom a [`Record`] came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RecordForm {
    /// Not said: some client's struct.
    #[default]
    Unspecified,
    /// `dataclasses.dataclass`.
    Dataclass,
    /// `collections.namedtuple` or `typing.NamedTuple`.
    NamedTuple,
    /// `enum.Enum`, with the fields `name` and `value`.
    Enum,
    /// `pydantic.BaseModel`.
    Pydantic,
    /// `attrs.define`.
    Attrs,
}

const FORMS: [(RecordForm, v1::RecordForm); 6] = [
    (RecordForm::Unspecified, v1::RecordForm::Unspecified),
    (RecordForm::Dataclass, v1::RecordForm::Dataclass),
    (RecordForm::NamedTuple, v1::RecordForm::Namedtuple),
    (RecordForm::Enum, v1::RecordForm::Enum),
    (RecordForm::Pydantic, v1::RecordForm::Pydantic),
    (RecordForm::Attrs, v1::RecordForm::Attrs),
];

impl RecordForm {
    pub(super) fn number(self) -> i32 {
        FORMS.iter().find(|(form, _)| *form == self).map_or(0, |(_, wire)| *wire as i32)
    }

    pub(super) fn from_number(number: i32) -> Option<RecordForm> {
        FORMS.iter().find(|(_, wire)| *wire as i32 == number).map(|(form, _)| *form)
    }
}
