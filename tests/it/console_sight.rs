//! Pages of the console name nothing that their visitor may not see.
use crate::support::console::Console;
use crate::support::database::on_both;

const DEMO: &str = include_str!("../../config/demo.toml");

/// A colleague of Harbor's users who also holds something elsewhere.
const IDA: &str = r#"
[[user]]
partner = "harbor"
login_name = "ida@harbor.example"
display_name = "Ida Ives"

[[grant]]
role = "Supporter"
partner = "harbor"
user = "ida@harbor.example"
scope = { partner = "harbor" }
reason = "Helps at home"

[[grant]]
role = "Supporter"
partner = "harbor"
user = "ida@harbor.example"
scope = { subtree = "fjordnet" }
reason = "Helps the neighbours"
"#;

on_both! {
    async fn what_is_out_of_sight_is_counted_and_not_named(db: &Database) {
        let console = Console::open(db).await;
        console.apply(&format!("{DEMO}{IDA}")).await;
        let page = format!("/users/{}", console.user("harbor", "ida@harbor.example").await);
        let mut henrik = console.sign_in("harbor", "henrik@harbor.example").await;
        let seen = henrik.get(&page).await.text;
        assert!(seen.contains("Ida Ives") && seen.contains("1 more line is over partners that you may not see"), "{seen}");
        assert!(!seen.contains("Fjordnet"), "{seen}");
        let mut olga = console.sign_in("meridian", "olga@meridian.example").await;
        let whole = olga.get(&page).await.text;
        assert!(whole.contains("Fjordnet Managed Services") && !whole.contains("you may not see"), "{whole}");

        let page = format!("/partners/{}", console.partner("lighthouse").await.partner());
        let done = olga.submit(&page, &format!("{page}/suspend"), &[("reason", "nothing for Harbor to read")]).await;
        assert_eq!(done.status, 303, "{}", done.text);
        let seen = henrik.get(&page).await.text;
        assert!(seen.contains("a partner above") && !seen.contains("Meridian") && !seen.contains("for Harbor to read"), "{seen}");
        let whole = olga.get(&page).await.text;
        assert!(whole.contains("in the name of Meridian Distribution") && whole.contains("for Harbor to read"), "{whole}");
        console.app.stop().await;
    }
}
