//! Redaction of who recorded received spans, which many spans share.

use std::sync::Arc;

use super::{RedactionCounts, Redactor};
use crate::model::{Name, Source};

/// Who recorded the spans of one trace: each source is redacted once.
#[derive(Default)]
pub(super) struct Sources(Vec<(Arc<Source>, Arc<Source>)>);

impl Sources {
    pub(super) fn redact(&mut self, redactor: &Redactor, source: &mut Arc<Source>, counts: &mut RedactionCounts) {
        if let Some((_, redacted)) = self.0.iter().find(|(original, _)| Arc::ptr_eq(original, source)) {
            *source = Arc::clone(redacted);
            return;
        }
        let before = counts.total();
        let (mut scope, mut resource) = (source.scope.clone(), (*source.resource).clone());
        redactor.redact_attributes(&mut scope.attributes, counts);
        redactor.redact_attributes(&mut resource.attributes, counts);
        if let Some(service) = redactor.redact_name("", &resource.service) {
            resource.service = Name::from(service);
            counts.values = counts.values.saturating_add(1);
        }
        let original = Arc::clone(source);
        if counts.total() > before {
            *source = Arc::new(Source { resource: Arc::new(resource), scope });
        }
        self.0.push((original, Arc::clone(source)));
    }
}
