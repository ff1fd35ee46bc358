//! Rows of redis.

use crate::row::Row;

pub(crate) const ROWS: &[Row] = &[];
