//! Between workflows and `tower`: a service as a step, a workflow as a service.
//!
//! Owns both adapters. Middleware is tower's; retries, timeouts and limits that are to be recorded
//! are the workflow's own.

mod from_service;
mod into_service;

pub use from_service::{ServiceStep, service};
pub use into_service::WorkflowService;
