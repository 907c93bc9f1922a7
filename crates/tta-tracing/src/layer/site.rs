//! Where in the source a span or an event was made.
//!
//! Owns the attributes for it. The location follows OpenTelemetry's conventions for source code
//! (semantic conventions 1.33, `code.*`); they have no names for `tracing`'s level and target.

use tracing_core::Metadata;
use tta_telemetry::ValueRef;

/// Attributes that tell where something was made.
pub(super) struct Site<'a> {
    pub(super) level: &'static str,
    pub(super) target: ValueRef<'a>,
    pub(super) file: Option<ValueRef<'a>>,
    pub(super) line: Option<i64>,
    pub(super) module: Option<ValueRef<'a>>,
}

/// Attributes that a site can have.
pub(super) const MAX_SITE_ATTRIBUTES: usize = 5;

impl<'a> Site<'a> {
    #[inline]
    pub(super) fn of(metadata: &'static Metadata<'static>, with_location: bool) -> Self {
        let target = metadata.target();
        // The target is the module unless the library chose another.
        let module = metadata.module_path().filter(|module| with_location && *module != target);
        Self {
            level: metadata.level().as_str(),
            target: ValueRef::Static(target),
            file: metadata.file().filter(|_| with_location).map(ValueRef::Static),
            line: metadata.line().filter(|_| with_location).map(i64::from),
            module: module.map(ValueRef::Static),
        }
    }

    #[inline]
    pub(super) fn each(self, mut f: impl FnMut(&'static str, ValueRef<'a>)) {
        f("tracing.level", ValueRef::Static(self.level));
        f("tracing.target", self.target);
        if let Some(module) = self.module {
            f("code.module.name", module);
        }
        if let Some(file) = self.file {
            f("code.file.path", file);
        }
        if let Some(line) = self.line {
            f("code.line.number", ValueRef::I64(line));
        }
    }
}
