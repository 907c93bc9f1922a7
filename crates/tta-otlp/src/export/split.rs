//! Requests in protobuf taken apart, without reading their spans.
//!
//! Owns counting spans and cutting a request into smaller ones. Works on bytes, so
//! that it serves our own requests and those of others alike.

use crate::wire::numbers::{request, resource_spans, scope_spans};
use crate::wire::{Field, Fields, WireError, Writer};

/// Calls for each span's bytes.
pub(super) fn for_each_span(
    body: &[u8],
    mut each: impl FnMut(&[u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut resources = Fields::new(body);
    while let Some(resource) = resources.next()? {
        if resource.number != request::RESOURCE_SPANS {
            continue;
        }
        let mut scopes = resource.message()?;
        while let Some(scope) = scopes.next()? {
            if scope.number != resource_spans::SCOPE_SPANS {
                continue;
            }
            let mut spans = scope.message()?;
            while let Some(field) = spans.next()? {
                if field.number == scope_spans::SPANS {
                    each(field.bytes()?)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn count(body: &[u8]) -> Result<u64, WireError> {
    let mut spans = 0;
    for_each_span(body, |_| {
        spans += 1;
        Ok(())
    })?;
    Ok(spans)
}

/// Requests of at most so many spans each, with the same spans in the same order under the same resources
/// and scopes.
pub(super) fn split(body: &[u8], most: u64) -> Result<Vec<Vec<u8>>, WireError> {
    let mut parts = Parts { done: Vec::new(), open: Vec::new(), spans: 0, most: most.max(1) };
    let mut resources = Fields::new(body);
    while let Some(resource) = resources.next()? {
        if resource.number == request::RESOURCE_SPANS {
            parts.resource(resource.bytes()?)?;
        }
    }
    parts.cut();
    Ok(parts.done)
}

struct Parts {
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
    spans: u64,
    most: u64,
}

impl Parts {
    fn cut(&mut self) {
        if self.spans > 0 {
            self.done.push(std::mem::take(&mut self.open));
            self.spans = 0;
        }
    }

    fn resource(&mut self, resource: &[u8]) -> Result<(), WireError> {
        let (scopes, around) = divide(resource, resource_spans::SCOPE_SPANS)?;
        for scope in scopes {
            let (mut spans, about) = divide(scope, scope_spans::SPANS)?;
            while !spans.is_empty() {
                let room = usize::try_from(self.most - self.spans).unwrap_or(usize::MAX).min(spans.len());
                let rest = spans.split_off(room);
                self.write(&around, &about, &spans);
                spans = rest;
                if self.spans == self.most {
                    self.cut();
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, around: &[Field<'_>], about: &[Field<'_>], spans: &[&[u8]]) {
        let mut writer = Writer::new(&mut self.open);
        writer.message(request::RESOURCE_SPANS, |writer| {
            copy(writer, around);
            writer.message(resource_spans::SCOPE_SPANS, |writer| {
                copy(writer, about);
                spans.iter().for_each(|span| writer.bytes_always(scope_spans::SPANS, span));
            });
        });
        self.spans += spans.len() as u64;
    }
}

type Divided<'a> = (Vec<&'a [u8]>, Vec<Field<'a>>);

/// The messages of one field, and the other fields.
fn divide(message: &[u8], number: u32) -> Result<Divided<'_>, WireError> {
    let (mut wanted, mut others) = (Vec::new(), Vec::new());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == number {
            wanted.push(field.bytes()?);
        } else {
            others.push(field);
        }
    }
    Ok((wanted, others))
}

/// What stands around spans is made of messages and texts only.
fn copy(writer: &mut Writer<'_>, fields: &[Field<'_>]) {
    for field in fields {
        if let Ok(bytes) = field.bytes() {
            writer.bytes_always(field.number, bytes);
        }
    }
}
