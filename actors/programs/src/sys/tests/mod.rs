//! Programs that escape in every way there is, and are found all the same.
