//! What a person says to the coordinator: wishes for one connection, and that the configuration is to be read again.

use qamd::fleet::{Found, Reload};
use shm_layout::ConnectionId;
use shm_layout::control::ConnectionWish;

use crate::coordinator::{launched_with, planned, remember};
use crate::world::{World, traced};

impl World {
    /// The coordinator that would hear a person; one that stands still hears nobody.
    fn listening(&self) -> Option<u64> {
        let coordinator = self.coordinator.as_ref()?;
        (self.now >= coordinator.held_until).then_some(coordinator.life)
    }

    /// A person's word about one connection.
    pub(crate) fn wish(&mut self, connection: ConnectionId, wish: ConnectionWish) {
        let Some(life) = self.listening() else { return };
        self.with_coordinator(life, |world, coordinator| {
            let said = coordinator.fleet.wish(connection, wish, world.now);
            traced!(world, "a person wishes {wish:?} of {connection}: {said:?}");
            if said.is_ok() && wish != ConnectionWish::Restart {
                coordinator.wishes.insert(connection, wish);
            }
            world.turn_coordinator(coordinator);
        });
    }

    /// A person wants the configuration read again.
    pub(crate) fn reload(&mut self) {
        let Some(life) = self.listening() else { return };
        self.with_coordinator(life, |world, coordinator| {
            let file = world.file.clone();
            let memory = remember(&world.memory, &file);
            let connections = file.connections.iter().map(|section| {
                let with = memory[&section.id].started_with.as_ref();
                let changed = with.is_some_and(|with| *with != launched_with(section));
                (planned(section, &memory, Found::Nothing), changed)
            });
            let reload = Reload {
                connections: connections.collect(),
                strategy: file.strategy,
                redundancy: file.redundancy,
                auto_failover: file.auto_failover,
                universe: Vec::new(),
                always_on: file.always_on.clone(),
                hours: world.scenario.hours(),
                notices: Vec::new(),
                said: Vec::new(),
            };
            world.memory = memory;
            coordinator.settings = file;
            coordinator.wishes.clear();
            let said = coordinator.fleet.reload(reload, world.now);
            traced!(world, "a reload: {said:?}");
            world.turn_coordinator(coordinator);
        });
    }
}
