//! Health over HTTP: what the replies hold, and each cause of trouble, brought about and removed.

mod causes;
mod fields;
mod probes;
mod rules;
mod stuck;
mod support;
