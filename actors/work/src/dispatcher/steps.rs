//! How often agents and tasks are looked at one by one: counted in tests, which hold it to few however many there are.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One more was looked at.
pub(super) fn one() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

/// How many were since this was last asked.
#[cfg(test)]
pub(super) fn take() -> usize {
    STEPS.replace(0)
}
