// SPDX-License-Identifier: MIT OR Apache-2.0
//! `save`, a part with each request.

use nl31_netlink::Client;
use nl31_wire::Response;

use super::host::Host;
use super::refusal::{Refusal, Refused};
use super::session::{Open, Program};
use crate::config::save::{Progress, Saving};
use crate::grammar::codes;

impl<H: Host> Program<H> {
    pub(super) fn save(&mut self) -> Refused<()> {
        self.open = Open::Nothing;
        self.permit_whole_table()?;
        let shared = self.host.shared();
        let mut client = self.host.connect()?;
        let saving = Saving::begin(&mut client, &shared.config)?;
        self.open = Open::Save(Box::new((client, saving)));
        self.next()
    }

    pub(super) fn next_saved(
        &mut self,
        mut save: Box<(Client<H::Transport>, Saving)>,
    ) -> Refused<()> {
        let shared = self.host.shared();
        let (client, saving) = &mut *save;
        let last = matches!(
            saving.step(client, &*self.devices, &shared.config, &|| shared
                .left()
                .is_some())?,
            Progress::Saved(_)
        );
        let routes = saving.paths();
        if last {
            saving.record(&shared.config);
            if shared.config.files.in_memory {
                let what = format_args!("saved in memory only: a reboot loses it");
                return Err(Refusal::new(codes::IN_MEMORY.number, what));
            }
        } else {
            self.open = Open::Save(save);
        }
        self.answer(&Response::Saving { routes, last });
        Ok(())
    }
}
