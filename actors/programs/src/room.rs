//! Level 2: the children of the room in their order, and what follows when one ends.
