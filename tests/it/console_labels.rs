//! Every field of the console that people see has a label that they see.
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use crate::support::browser::{Browser, Page};
use crate::support::console::Console;
use crate::support::database::on_both;

/// More pages than the demo world has.
const MOST_PAGES: usize = 400;

/// The tags of a page, each with the text that follows it.
fn tags(html: &str) -> Vec<(String, &str)> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let mut quoted = false;
        let inside = |c: char| {
            quoted ^= c == '"';
            c == '>' && !quoted
        };
        let Some(end) = after.find(inside) else { break };
        let (tag, text) = (after[..end].to_owned(), &after[end + 1..]);
        tags.push((tag, text.split('<').next().unwrap()));
        rest = text;
    }
    tags
}

fn is(tag: &str, name: &str) -> bool {
    tag.split_whitespace().next() == Some(name)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\"")).map(|(_, after)| after.split('"').next().unwrap())
}

fn is_field(tag: &str) -> bool {
    let unseen = ["hidden", "submit", "button", "image", "reset"];
    is(tag, "select")
        || is(tag, "textarea")
        || is(tag, "input") && !attribute(tag, "type").is_some_and(|kind| unseen.contains(&kind))
}

/// The fields of a page, and those of them without a label that has words.
fn fields(html: &str) -> (Vec<String>, Vec<String>) {
    let (mut all, mut labels) = (Vec::new(), BTreeSet::new());
    // The label that is open: its words so far, and the fields inside it by their place in `all`.
    let mut open: Option<(Option<String>, bool, Vec<usize>)> = None;
    let mut wrapped = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut in_field = false;
    for (tag, text) in tags(html) {
        if let Some(id) = attribute(&tag, "id") {
            assert!(ids.insert(id.to_owned()), "the id {id} is there twice");
        }
        if is(&tag, "label") {
            let unseen = tag.split_whitespace().any(|word| word == "hidden");
            assert!(!unseen, "nobody sees <{tag}>");
            open = Some((attribute(&tag, "for").map(str::to_owned), false, Vec::new()));
        } else if is(&tag, "/label") {
            let (names, worded, inside) = open.take().expect("a label ends that never began");
            if worded {
                labels.extend(names);
                wrapped.extend(inside);
            }
        } else if is_field(&tag) {
            if let Some((_, _, inside)) = &mut open {
                inside.push(all.len());
            }
            in_field = !is(&tag, "input");
            all.push(tag);
        } else if is(&tag, "/select") || is(&tag, "/textarea") {
            in_field = false;
        }
        if let Some((_, worded, _)) = &mut open {
            *worded |= !in_field && !text.trim().is_empty();
        }
    }
    let named = |tag: &str| attribute(tag, "id").is_some_and(|id| labels.contains(id));
    let bare = all.iter().enumerate().filter(|(at, tag)| !wrapped.contains(at) && !named(tag));
    let bare = bare.map(|(_, tag)| tag.clone()).collect();
    (all, bare)
}

/// The names of the fields that the templates write down themselves, with their template.
fn of_templates(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            of_templates(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (tag, _) in tags(&text) {
            let name = attribute(&tag, "id").or_else(|| attribute(&tag, "name"));
            if let Some(name) = name.filter(|name| is_field(&tag) && !name.contains('{')) {
                found.insert((path.display().to_string(), name.to_owned()));
            }
        }
    }
}

/// Adds the names of the fields of a page, and what is wrong with them.
fn look(path: &str, page: &Page, seen: &mut BTreeSet<String>, wrong: &mut Vec<String>) {
    let (all, bare) = fields(&page.text);
    seen.extend(
        all.iter().filter_map(|tag| attribute(tag, "id").or_else(|| attribute(tag, "name"))).map(str::to_owned),
    );
    wrong.extend(bare.into_iter().map(|tag| format!("{path}: <{tag}>")));
}

#[test]
fn a_field_without_a_label_is_found() {
    let bare = |html: &str| fields(html).1.len();
    assert_eq!(bare(r#"<label for="a">A</label><input id="a">"#), 0);
    assert_eq!(bare(r#"<label>A <select name="a"><option>1</option></select></label>"#), 0);
    assert_eq!(bare(r#"<label><input type="checkbox"> A</label>"#), 0);
    assert_eq!(bare(r#"<input type="hidden" name="a"><input type="submit">"#), 0);
    assert_eq!(bare(r#"<input placeholder="A" aria-label="A" title="A > B">"#), 1);
    assert_eq!(bare(r#"<label for="b">A</label><input id="a">"#), 1);
    assert_eq!(bare(r#"<label for="a"> <b></b></label><textarea id="a">words</textarea>"#), 1);
    assert_eq!(bare(r#"<label><select name="a"><option>1</option></select></label>"#), 1);
}

on_both! {
    async fn every_field_has_a_label(db: &Database) {
        let console = Console::open(db).await;
        // A page that the demo world has no need of: the way out of a trial.
        console.apply("[[directory]]\npartner = \"harbor\"\nname = \"Trial\"\nmode = \"observe\"\n").await;
        let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
        let page = Browser::new().get(format!("{}/login", console.app.base)).await;
        assert_eq!(page.status, 200);
        look("/login", &page, &mut seen, &mut wrong);
        let mut olga = console.sign_in("meridian", "olga@meridian.example").await;
        let mut known = BTreeSet::from(["/partners".to_owned()]);
        let mut waiting: VecDeque<String> = known.iter().cloned().collect();
        while let Some(path) = waiting.pop_front() {
            let page = olga.get(&path).await;
            assert!(page.status < 400, "{path}: {}", page.status);
            look(&path, &page, &mut seen, &mut wrong);
            for link in page.text.split(" href=\"").skip(1).filter_map(|after| after.split(['"', '?', '#']).next()) {
                let elsewhere = ["/assets/", "/api/", "//"].iter().any(|start| link.starts_with(start));
                if link.starts_with('/') && !elsewhere && known.insert(link.to_owned()) {
                    waiting.push_back(link.to_owned());
                }
            }
            assert!(known.len() <= MOST_PAGES, "{} pages", known.len());
        }
        assert!(wrong.is_empty(), "without a label:\n{}", wrong.join("\n"));
        let mut written = BTreeSet::new();
        of_templates(Path::new("src/web/templates"), &mut written);
        assert!(written.len() > 10, "{written:?}");
        let missed: Vec<_> = written.iter().filter(|(_, name)| !seen.contains(name)).collect();
        assert!(missed.is_empty(), "no page showed {missed:?} of {known:?}");
        console.app.stop().await;
    }
}
