//! `elevate pending`: what waits for the caller's answer.

use crate::command::list::print;
use crate::context::{self, Context};
use crate::exit::Exit;
use crate::failure::Result;

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let waiting = context::pending(&broker).await?;
    let some = !waiting.is_empty();
    let exit = print(context, waiting, String::new(), true, "Nothing waits for your approval.")?;
    if some {
        context.console.hint("`elevate show ID` tells everything about one; `elevate approve ID` or `elevate deny ID` answers it");
    }
    Ok(exit)
}
