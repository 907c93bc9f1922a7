//! Who recorded spans: resources and scopes, from all the pieces in which they were written.
//!
//! Owns their decoding. Does not own which spans are theirs.

use tta_telemetry::{Attribute, Name, Resource, Scope};

use super::values::{Values, check_key_value};
use crate::OtlpLimits;
use crate::wire::numbers::{resource, scope};
use crate::wire::{Fields, WireError};

/// What a resource without `service.name` is called (OpenTelemetry, resource semantic conventions).
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A resource in the making.
pub(super) struct ResourceParts<'a, 'l> {
    values: Values<'l>,
    attributes: Vec<Attribute>,
    dropped: u32,
    said_dropped: u32,
    pub(super) schema_url: &'a str,
}

impl<'a, 'l> ResourceParts<'a, 'l> {
    /// With room for so many attributes, at most.
    pub(super) fn new(limits: &'l OtlpLimits, room: usize) -> Self {
        let values = Values::within(limits, room);
        Self { values, attributes: Vec::new(), dropped: 0, said_dropped: 0, schema_url: "" }
    }

    pub(super) fn resource(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        while let Some(field) = fields.next()? {
            match field.number {
                resource::ATTRIBUTES => {
                    // Decoding stops at its bounds; whether the rest is in order has to be known too.
                    check_key_value(field.message()?, self.values.depth())?;
                    self.values.attribute(field.message()?, &mut self.attributes, &mut self.dropped)?;
                }
                resource::DROPPED_ATTRIBUTES_COUNT => self.said_dropped = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(())
    }

    /// The resource, and how many of its attributes were left out or cut here.
    pub(super) fn finish(mut self) -> (Resource, u64) {
        let named = self.attributes.iter().rev().find(|attribute| attribute.key == "service.name");
        let service = named.and_then(|attribute| attribute.value.as_str()).filter(|name| !name.is_empty());
        let service = service.map_or(Name::from_static(UNKNOWN_SERVICE), |name| Name::from(name.to_owned()));
        let schema_url = self.values.text(self.schema_url).to_owned();
        let lost = u64::from(self.dropped) + u64::from(self.values.truncated);
        let dropped_attributes = self.said_dropped.saturating_add(self.dropped);
        (Resource { service, attributes: self.attributes, dropped_attributes, schema_url }, lost)
    }
}

/// A scope in the making.
pub(super) struct ScopeParts<'a, 'l> {
    values: Values<'l>,
    name: &'a str,
    version: &'a str,
    attributes: Vec<Attribute>,
    dropped: u32,
    said_dropped: u32,
    pub(super) schema_url: &'a str,
}

impl<'a, 'l> ScopeParts<'a, 'l> {
    /// With room for so many attributes, at most.
    pub(super) fn new(limits: &'l OtlpLimits, room: usize) -> Self {
        Self {
            values: Values::within(limits, room),
            name: "",
            version: "",
            attributes: Vec::new(),
            dropped: 0,
            said_dropped: 0,
            schema_url: "",
        }
    }

    pub(super) fn scope(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        while let Some(field) = fields.next()? {
            match field.number {
                scope::NAME => self.name = field.text()?,
                scope::VERSION => self.version = field.text()?,
                scope::ATTRIBUTES => {
                    check_key_value(field.message()?, self.values.depth())?;
                    self.values.attribute(field.message()?, &mut self.attributes, &mut self.dropped)?;
                }
                scope::DROPPED_ATTRIBUTES_COUNT => self.said_dropped = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> (Scope, u64) {
        let scope = Scope {
            name: self.values.name(self.name),
            version: self.values.name(self.version),
            schema_url: self.values.text(self.schema_url).to_owned(),
            attributes: self.attributes,
            dropped_attributes: self.said_dropped.saturating_add(self.dropped),
        };
        (scope, u64::from(self.dropped) + u64::from(self.values.truncated))
    }
}
