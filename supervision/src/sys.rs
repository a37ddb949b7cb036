//! What only the processor can do; the one place of this crate where unsafe code may stand.

/// Tells the processor that the memory at `place` is about to be written: it may win the line from another core's
/// cache meanwhile. A hint: it reads nothing, writes nothing and faults nowhere, whatever `place` is.
#[cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "an instruction that safe Rust does not reach")
)]
#[expect(clippy::inline_always, reason = "one instruction")]
#[inline(always)]
pub(crate) fn about_to_write<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch touches no memory, no register, no flag and no stack, and faults at no address.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// Tells the processor that the memory at `place` is about to be read. A hint, as [`about_to_write`] is.
#[cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "an instruction that safe Rust does not reach")
)]
#[expect(clippy::inline_always, reason = "one instruction")]
#[inline(always)]
pub(crate) fn about_to_read<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch touches no memory, no register, no flag and no stack, and faults at no address.
    unsafe {
        std::arch::asm!("prefetcht0 [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}
