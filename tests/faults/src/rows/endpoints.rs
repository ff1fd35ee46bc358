//! Rows of endpoints.

use crate::row::Row;

pub(crate) const ROWS: &[Row] = &[];
