//! The typed map that the steps of one run share.

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tta_telemetry::Name;

/// Keys per run.
const MAX_KEYS: usize = 1_024;

/// Values by name, shared by all steps of a run, its branches and nested workflows.
///
/// A write by one step is visible to the next; parallel branches share the map and the last write
/// wins; what a cancelled branch wrote stays. At most 1,024 keys.
#[derive(Default)]
pub struct RunState(Mutex<HashMap<Name, Entry>>);

struct Entry {
    value: Box<dyn Any + Send + Sync>,
    type_name: &'static str,
}

/// Why the run's state could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The key holds a value of another type.
    #[error("run state `{key}` holds a `{stored}`, asked for was a `{asked}`")]
    WrongType {
        /// The key.
        key: String,
        /// The type of the value it holds.
        stored: &'static str,
        /// The type asked for.
        asked: &'static str,
    },
    /// The map is full.
    #[error("run state cannot take `{key}`: it holds {MAX_KEYS} keys, the most accepted")]
    Full {
        /// The key.
        key: String,
    },
}

impl RunState {
    /// Stores a value under a key, replacing what was there, of whatever type.
    ///
    /// # Errors
    /// [`StateError::Full`] when the key is new and the map holds 1,024.
    pub fn set<T: Send + Sync + 'static>(&self, key: impl Into<Name>, value: T) -> Result<(), StateError> {
        let key = key.into();
        let mut entries = self.entries();
        if entries.len() >= MAX_KEYS && !entries.contains_key(&key) {
            return Err(StateError::Full { key: key.to_string() });
        }
        let replaced = entries.insert(key, Entry { value: Box::new(value), type_name: type_name::<T>() });
        // Out of the lock: what a value does when it is dropped may be about the state.
        drop(entries);
        drop(replaced);
        Ok(())
    }

    /// A copy of the value under a key; `None` when there is none.
    ///
    /// # Errors
    /// [`StateError::WrongType`] when it is of another type.
    pub fn get<T: Clone + 'static>(&self, key: &str) -> Result<Option<T>, StateError> {
        match self.entries().get(key) {
            None => Ok(None),
            Some(entry) => match entry.value.downcast_ref::<T>() {
                Some(value) => Ok(Some(value.clone())),
                None => Err(wrong_type::<T>(key, entry)),
            },
        }
    }

    /// Changes the value under a key in one step that no other can come between; starts from the
    /// default when there is none. `f` must not touch the state itself.
    ///
    /// # Errors
    /// [`StateError::WrongType`] or [`StateError::Full`], without calling `f`.
    pub fn update<T, R>(&self, key: impl Into<Name>, f: impl FnOnce(&mut T) -> R) -> Result<R, StateError>
    where
        T: Default + Send + Sync + 'static,
    {
        let key = key.into();
        let mut entries = self.entries();
        if entries.len() >= MAX_KEYS && !entries.contains_key(&key) {
            return Err(StateError::Full { key: key.to_string() });
        }
        let fresh = || Entry { value: Box::new(T::default()), type_name: type_name::<T>() };
        let entry = entries.entry(key.clone()).or_insert_with(fresh);
        match entry.value.downcast_mut::<T>() {
            Some(value) => Ok(f(value)),
            None => Err(wrong_type::<T>(&key, entry)),
        }
    }

    /// Forgets a key. Whether it was there.
    pub fn remove(&self, key: &str) -> bool {
        let removed = self.entries().remove(key);
        removed.is_some()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        // A panic inside `update` leaves the one value as `f` left it, and the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wrong_type<T>(key: &str, entry: &Entry) -> StateError {
    StateError::WrongType { key: key.to_owned(), stored: entry.type_name, asked: type_name::<T>() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn values_are_typed_and_the_error_names_both_types() {
        let state = RunState::default();
        state.set("count", 1_u32).unwrap();
        assert_eq!(state.get::<u32>("count"), Ok(Some(1)));
        assert_eq!(state.get::<u32>("absent"), Ok(None));
        let error = state.get::<String>("count").unwrap_err();
        assert_eq!(error.to_string(), "run state `count` holds a `u32`, asked for was a `alloc::string::String`");
        assert_eq!(
            state.update("count", |_: &mut u64| ()),
            Err(wrong_type::<u64>("count", &Entry { value: Box::new(()), type_name: "u32" }))
        );
    }

    #[test]
    fn updates_are_atomic_and_start_from_the_default() {
        let state = RunState::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| state.update("n", |n: &mut u64| *n += 1).unwrap()));
            }
        });
        assert_eq!(state.get::<u64>("n"), Ok(Some(2_000)));
        assert!(state.remove("n") && !state.remove("n") && state.is_empty());
    }

    /// It once was dropped under the lock and waited for itself.
    #[test]
    fn a_value_may_use_the_state_when_it_is_dropped() {
        struct Tallied(Arc<RunState>);

        impl Drop for Tallied {
            fn drop(&mut self) {
                self.0.update("gone", |n: &mut u32| *n += 1).unwrap();
            }
        }

        let (tell, told) = std::sync::mpsc::channel();
        // On a thread of its own: should it wait for ever, the test does not.
        std::thread::spawn(move || {
            let state = Arc::<RunState>::default();
            (0..2).for_each(|_| state.set("value", Tallied(Arc::clone(&state))).unwrap());
            assert!(state.remove("value"));
            tell.send(state.get::<u32>("gone")).unwrap();
        });
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(Ok(Some(2))));
    }

    #[test]
    fn the_map_is_bounded_and_known_keys_can_still_be_written() {
        let state = RunState::default();
        for i in 0..MAX_KEYS {
            state.set(format!("key {i}"), i).unwrap();
        }
        assert_eq!(state.set("one more", 0), Err(StateError::Full { key: "one more".into() }));
        assert_eq!(state.update("another", |_: &mut u8| ()), Err(StateError::Full { key: "another".into() }));
        assert_eq!(state.set("key 5", 6), Ok(()));
    }
}
