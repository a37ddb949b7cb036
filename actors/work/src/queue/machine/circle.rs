//! Tasks of one batch that would wait for each other for ever.

/// A circle among places that each come after others: the places in order, the first one again at the end.
///
/// Each place and each of its edges is looked at once.
pub(super) fn find(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut marks = vec![Mark::Unseen; after.len()];
    (0..after.len()).find_map(|start| from(start, after, &mut marks))
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Unseen,
    OnPath,
    Cleared,
}

fn from(start: usize, after: &[Vec<usize>], marks: &mut [Mark]) -> Option<Vec<usize>> {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut next = Some(start);
    loop {
        match next.map(|place| (place, marks.get(place).copied())) {
            Some((place, Some(Mark::OnPath))) => return Some(closed(&path, place)),
            Some((place, Some(Mark::Unseen))) => {
                marks[place] = Mark::OnPath;
                path.push((place, 0));
            }
            _ => {}
        }
        let (place, edge) = path.last_mut()?;
        next = after.get(*place).and_then(|edges| edges.get(*edge)).copied();
        *edge += 1;
        if next.is_none() {
            marks[*place] = Mark::Cleared;
            path.pop();
        }
    }
}

fn closed(path: &[(usize, usize)], place: usize) -> Vec<usize> {
    let places = path.iter().map(|(place, _)| *place);
    let circle = places.skip_while(|one| *one != place);
    circle.chain([place]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_circle_is_named_in_order() {
        assert_eq!(
            find(&[vec![], vec![2], vec![3], vec![1], vec![1]]),
            Some(vec![1, 2, 3, 1])
        );
        assert_eq!(find(&[vec![0]]), Some(vec![0, 0]));
        assert_eq!(
            find(&[vec![1, 2], vec![3], vec![3], vec![]]),
            None,
            "two ways to one are no circle"
        );
    }

    #[test]
    fn a_row_of_any_length_is_looked_through() {
        let mut row: Vec<Vec<usize>> = (0..100_000).map(|place| vec![place + 1]).collect();
        row.push(vec![]);
        assert_eq!(find(&row), None);
        row[100_000].push(7);
        assert_eq!(find(&row).map(|circle| circle.len()), Some(100_000 - 7 + 2));
    }

    /// Takes away who comes after nobody that is left, until there is no such place.
    fn has_circle(after: &[Vec<usize>]) -> bool {
        let mut left: Vec<usize> = (0..after.len()).collect();
        loop {
            let stays = |place: &usize| after[*place].iter().any(|one| left.contains(one));
            let stayed: Vec<_> = left.iter().copied().filter(stays).collect();
            if stayed.len() == left.len() {
                return !left.is_empty();
            }
            left = stayed;
        }
    }

    proptest! {
        #[test]
        fn a_circle_is_found_where_there_is_one_and_is_one(
            after in prop::collection::vec(prop::collection::vec(0usize..8, 0..3), 8)
        ) {
            match find(&after) {
                None => prop_assert!(!has_circle(&after)),
                Some(circle) => {
                    prop_assert!(circle.len() >= 2 && circle.first() == circle.last());
                    prop_assert!(circle.windows(2).all(|pair| after[pair[0]].contains(&pair[1])));
                }
            }
        }
    }
}
