//! The partner tree as steps a template can follow.
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::PartnerId;
use crate::store::partners::TreeNode;

/// One step through the tree.
pub enum TreeStep {
    /// A partner begins.
    Node(PartnerTreeRow),
    /// Down to the partners below it.
    Down,
    /// Up again.
    Up,
    /// The partner ends.
    End,
}

/// A partner in the tree.
pub struct PartnerTreeRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its level.
    pub level: String,
    /// Whether it is itself switched off.
    pub suspended: bool,
    /// How many users are at home in it.
    pub users: i64,
    /// How many directories it has.
    pub directories: i64,
}

impl PartnerTreeRow {
    /// A partner as it is shown.
    pub fn of(node: &TreeNode) -> Self {
        Self {
            id: node.partner.id.to_string(),
            name: node.partner.name.clone(),
            level: node.level_title.clone(),
            suspended: node.suspended,
            users: node.users,
            directories: node.directories,
        }
    }
}

/// The steps through `nodes`. Whose parent is not among them stands at the top; those with one parent keep their order.
pub fn steps(nodes: &[TreeNode]) -> Vec<TreeStep> {
    let known: BTreeSet<PartnerId> = nodes.iter().map(|node| node.partner.id).collect();
    let mut below: BTreeMap<Option<PartnerId>, Vec<&TreeNode>> = BTreeMap::new();
    for node in nodes {
        below.entry(node.partner.parent.filter(|parent| known.contains(parent))).or_default().push(node);
    }
    let mut steps = Vec::new();
    let mut open = vec![below.remove(&None).unwrap_or_default().into_iter()];
    while let Some(level) = open.last_mut() {
        let Some(node) = level.next() else {
            open.pop();
            if !open.is_empty() {
                steps.extend([TreeStep::Up, TreeStep::End]);
            }
            continue;
        };
        steps.push(TreeStep::Node(PartnerTreeRow::of(node)));
        match below.remove(&Some(node.partner.id)) {
            None => steps.push(TreeStep::End),
            Some(children) => {
                steps.push(TreeStep::Down);
                open.push(children.into_iter());
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id as _;
    use crate::domain::partner::{LevelId, Partner, PartnerKind};
    use crate::domain::time::Timestamp;
    use uuid::Uuid;

    fn node(id: u128, parent: Option<u128>) -> TreeNode {
        let id_of = |number| PartnerId::from_uuid(Uuid::from_u128(number));
        let partner = Partner {
            id: id_of(id),
            parent: parent.map(id_of),
            external_id: None,
            name: id.to_string(),
            kind: PartnerKind::Company,
            level: LevelId(1),
            version: 1,
            created_at: Timestamp::from_micros(0),
        };
        TreeNode { partner, level_title: String::new(), users: 0, directories: 0, suspended: false }
    }

    fn drawn(nodes: &[TreeNode]) -> String {
        let draw = |step: &TreeStep| match step {
            TreeStep::Node(node) => node.name.clone(),
            TreeStep::Down => "(".to_owned(),
            TreeStep::Up => ")".to_owned(),
            TreeStep::End => ";".to_owned(),
        };
        steps(nodes).iter().map(draw).collect()
    }

    #[test]
    fn nests_and_closes_what_it_opens() {
        let nodes = [node(1, None), node(2, Some(1)), node(3, Some(1)), node(4, Some(2))];
        assert_eq!(drawn(&nodes), "1(2(4;);3;);");
    }

    #[test]
    fn partners_whose_parent_is_not_seen_stand_at_the_top() {
        assert_eq!(drawn(&[node(4, Some(2)), node(5, Some(3)), node(6, Some(5))]), "4;5(6;);");
        assert_eq!(drawn(&[]), "");
    }
}
