//! Arrow data.

use crate::v1;

/// Arrow data as an IPC stream; the `arrow` crate's `StreamReader` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrowStream {
    /// The stream: schema, dictionaries, record batches. Uncompressed: a server refuses others.
    pub ipc_stream: Vec<u8>,
    /// What it stands for.
    pub form: ArrowForm,
}

/// What an [`ArrowStream`] stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ArrowForm {
    /// Not said: a Table.
    #[default]
    Unspecified,
    /// `pyarrow.Table`.
    Table,
    /// `pyarrow.RecordBatch`.
    RecordBatch,
    /// `pyarrow.Array`.
    Array,
    /// `pandas.DataFrame`.
    PandasDataFrame,
    /// `polars.DataFrame`.
    PolarsDataFrame,
    /// `pyarrow.ChunkedArray`.
    ChunkedArray,
    /// `pandas.Series`.
    PandasSeries,
    /// `polars.Series`.
    PolarsSeries,
}

const FORMS: [(ArrowForm, v1::ArrowForm); 9] = [
    (ArrowForm::Unspecified, v1::ArrowForm::Unspecified),
    (ArrowForm::Table, v1::ArrowForm::Table),
    (ArrowForm::RecordBatch, v1::ArrowForm::RecordBatch),
    (ArrowForm::Array, v1::ArrowForm::Array),
    (ArrowForm::PandasDataFrame, v1::ArrowForm::PandasDataframe),
    (ArrowForm::PolarsDataFrame, v1::ArrowForm::PolarsDataframe),
    (ArrowForm::ChunkedArray, v1::ArrowForm::ChunkedArray),
    (ArrowForm::PandasSeries, v1::ArrowForm::PandasSeries),
    (ArrowForm::PolarsSeries, v1::ArrowForm::PolarsSeries),
];

impl ArrowForm {
    pub(super) fn number(self) -> i32 {
        FORMS.iter().find(|(form, _)| *form == self).map_or(0, |(_, wire)| *wire as i32)
    }

    pub(super) fn from_number(number: i32) -> Option<ArrowForm> {
        FORMS.iter().find(|(_, wire)| *wire as i32 == number).map(|(form, _)| *form)
    }
}
