// The manager through the real messages: peer tables on a simulated network, configuration watches
// at the other end.
import test from 'tape'
import { byteCount, epoch, incarnation, shardIndex, volumeId } from '../../src/base/brands.js'
import { silentLog } from '../../src/base/log.js'
import { Manager } from '../../src/manager/manager.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type { Reply } from '../../src/net/operations.js'
import { LOST, type Lost } from '../../src/net/peers.js'
import { Playground, type Seat } from '../net/peers-fixture.js'
import { NO_LATENCY, SimulatedDisk } from '../simulator/simulated-disk.js'

class Stage {
  readonly #play = new Playground(1)
  readonly boss = this.#play.seat('e', { roles: ['manager'] })
  readonly server = this.#play.seat('b', { roles: ['storage'] })
  readonly client = this.#play.seat('c', { roles: ['client'] })
  readonly clock = this.#play.clock
  readonly watches = [this.server, this.client].map(
    ({ table: peers }) => new ConfigurationWatch({ peers, log: silentLog, clock: this.clock }),
  )
  readonly manager: Manager

  constructor() {
    const { clock, random } = this.#play
    this.manager = new Manager({
      ...{ clock, random, log: silentLog, peers: this.boss.table, newCluster: true },
      disk: new SimulatedDisk({ clock, random, latency: NO_LATENCY }),
      addresses: () => this.boss.network.addresses,
    })
  }

  async start(): Promise<void> {
    await this.manager.start()
    for (const seat of [this.boss, this.server, this.client]) await seat.table.start()
    for (const seat of [this.server, this.client]) seat.table.remember([this.#asMember(this.boss)])
    const seats = [this.server, this.client]
    const connected = (): boolean => seats.every(({ table }) => table.find(this.boss.id))
    await this.clock.until('all are connected', connected)
    await this.clock.until('the manager leads', () => this.manager.leads)
  }

  register(start: number): Promise<Reply<'register'> | Lost> {
    const registration = this.server.table.request(this.boss.id, 'register', {
      ...{ name: 'b', domain: 'b', weight: 1, addresses: [] },
      capacity: byteCount(2 ** 40),
      incarnation: incarnation(start),
    })
    return this.clock.settle('a registration', registration)
  }

  async stop(): Promise<void> {
    for (const watch of this.watches) watch.stop()
    const seats = [this.boss, this.server, this.client]
    const stopped = Promise.all(seats.map(({ table }) => table.stop()))
    await this.clock.settle('all stop', stopped)
    await this.manager.stop()
  }

  #asMember({ id }: Seat): { id: typeof id; addresses: [] } {
    return { id, addresses: [] }
  }
}

test('commits reach the configuration watches of all peers', async t => {
  const stage = new Stage()
  await stage.start()
  t.deepEqual(await stage.register(1), { kind: 'registered', epoch: epoch(2) })
  await stage.clock.until('both have it', () =>
    stage.watches.every(watch => watch.current()?.epoch === 2),
  )
  for (const watch of stage.watches) {
    t.deepEqual(watch.current(), stage.manager.configuration, 'equal')
  }
  await stage.stop()
})

test('a mismatch report brings a peer that missed a push up to date', async t => {
  const stage = new Stage()
  await stage.start()
  await stage.register(1)
  const [, client] = stage.watches
  await stage.clock.until('the client has it', () => client!.current()?.epoch === 2)
  const { table } = stage.boss
  const notify = table.notify.bind(table)
  table.notify = (to, operation, message) =>
    to === stage.client.id || notify(to, operation, message)
  t.notEqual(await stage.register(2), LOST)
  await stage.clock.advance(2000)
  t.equal(client!.current()?.epoch, 2, 'the push went missing')
  table.notify = notify
  stage.server.table.notify(stage.boss.id, 'mismatch', {
    ...{ volume: volumeId(1), shard: shardIndex(0), from: stage.client.id },
    ...{ seen: epoch(2), own: epoch(3) },
  })
  await stage.clock.until('the client caught up', () => client!.current()?.epoch === 3)
  t.equal(stage.manager.mismatches, 1)
  await stage.stop()
})
