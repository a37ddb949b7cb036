//! Records in batches that the journal takes.

/// What each record of a batch counts beside its own bytes.
const FRAME: usize = 24;

/// No batch has more than so many bytes, but where a single record has.
pub(super) fn portions(records: Vec<Vec<u8>>, most: usize) -> Vec<Vec<Vec<u8>>> {
    let (mut portions, mut bytes) = (Vec::<Vec<Vec<u8>>>::new(), 0);
    for record in records {
        bytes += FRAME + record.len();
        match portions.last_mut() {
            Some(portion) if bytes <= most => portion.push(record),
            _ => {
                bytes = FRAME + record.len();
                portions.push(vec![record]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_has_as_many_records_as_fit_with_their_frames_and_one_at_least() {
        let sizes = |records: &[usize], most| -> Vec<Vec<usize>> {
            let records = records.iter().map(|size| vec![0; *size]).collect();
            let of = |portion: &Vec<Vec<u8>>| portion.iter().map(Vec::len).collect();
            portions(records, most).iter().map(of).collect()
        };
        assert_eq!(sizes(&[10, 10, 10], 2 * (FRAME + 10)), [vec![10, 10], vec![10]]);
        assert_eq!(
            sizes(&[10, 11, 0, 0], 2 * (FRAME + 10)),
            [vec![10], vec![11, 0], vec![0]]
        );
        assert_eq!(sizes(&[500, 1, 500], 100), [[500], [1], [500]]);
        assert!(sizes(&[], 9).is_empty());
    }
}
