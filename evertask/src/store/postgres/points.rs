//! The crash points of this store: before and after the commit of a transaction that ends attempts, and of others.

/// Lets the process die here, if a test asks for it.
#[cfg(feature = "testing")]
pub(super) fn hit(name: &str) {
    crate::testing::crash_point(name);
}

/// Nothing.
#[cfg(not(feature = "testing"))]
pub(super) fn hit(_name: &str) {}
