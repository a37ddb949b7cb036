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
