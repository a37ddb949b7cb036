//! The tree as it is printed.

use triarch::tree::NodeView;

const HEAD: [&str; 4] = ["path", "state", "life", "mailbox"];

/// One line for each node: where it stands, how it is, in which life, and how full its mailbox is.
pub(crate) fn table(nodes: &[NodeView]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(nodes.iter().map(row));
    let widest = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [path, state, life] = [0, 1, 2].map(widest);
    let written = |row: &[String; 4]| format!("{:path$}  {:state$}  {:>life$}  {}\n", row[0], row[1], row[2], row[3]);
    rows.iter().map(written).collect()
}

fn row(node: &NodeView) -> [String; 4] {
    let state = node.state.label().to_owned();
    let mailbox = node.mailbox.as_ref();
    let mailbox = mailbox.map_or("-".to_owned(), |figures| {
        format!("{}/{}", figures.depth, figures.capacity)
    });
    [node.path.to_string(), state, node.incarnation.to_string(), mailbox]
}

#[cfg(test)]
mod tests {
    use triarch::prelude::*;

    use super::*;

    #[tokio::test]
    async fn the_root_comes_first_and_columns_stand_under_each_other() {
        let tree = Root::new().supervisor(crate::demo::team()).start().await.unwrap();
        let table = table(&tree.observer().snapshot());
        tree.stop().await;
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "path           state  life  mailbox");
        assert_eq!(lines[1], "root           idle      1  -");
        assert_eq!(lines[3], "demo/answerer  idle      1  0/16");
        assert_eq!(lines.len(), 5);
    }
}
