//! The analysis of one document: the real work that `tta demo` puts through its workflow.
//!
//! Every function is pure, synchronous and infallible once [`validate`] has admitted a document: no
//! I/O, no clock, no randomness, the same result on every run. Scheduling, retries and output are
//! the workflow's. Time grows linearly with the text, and beside the text itself memory stays
//! bounded, except for the distinct words that [`statistics()`] holds.
//!
//! `tokenize`, `sentences`, `stopwords`, `prose` and `excerpt` serve the analyses and are not used
//! from outside.

mod document;
mod excerpt;
mod keywords;
mod language;
mod prose;
mod readability;
mod report;
mod sentences;
mod statistics;
mod stopwords;
pub(crate) mod summary;
#[cfg(test)]
mod testing;
mod tokenize;

pub(crate) use document::{Document, ValidationError, validate};
pub(crate) use keywords::{Keyword, keywords};
pub(crate) use language::{Detection, language};
pub(crate) use readability::{Readability, readability};
pub(crate) use report::Report;
pub(crate) use statistics::{Statistics, statistics};
pub(crate) use summary::Summary;
