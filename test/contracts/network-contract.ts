// What every Network must do, whatever it is made of: run on the real one (test/net) and on the
// simulated one (test/simulator).
import type { Test } from 'tape'
import test from 'tape'
import type { PeerId } from '../../src/base/brands.js'
import type { Link, LinkKind, Network } from '../../src/net/link.js'

export interface NetworkUnderTest {
  /** A peer of the one cluster, not started yet. */
  readonly make: (role: 'server' | 'client') => Network
  /** A server of another cluster, where the network knows such a thing. */
  readonly stranger?: () => Network
  /** Fails loudly when the condition does not come true. Makes virtual time pass. */
  readonly until: (what: string, condition: () => boolean) => Promise<void>
  /** Settles a promise of the network, likewise. */
  readonly settle: <T>(what: string, promise: Promise<T>) => Promise<T>
  /** After all networks were stopped. */
  readonly end: () => Promise<void>
}

/** One end of a link and what happened on it. */
export class HeardLink {
  readonly frames: Uint8Array[] = []
  drains = 0
  closed = 0

  constructor(readonly link: Link) {
    link.listen({
      frame: frame => this.frames.push(frame),
      drain: () => this.drains++,
      closed: () => this.closed++,
    })
  }
}

/** A started network and all the links it ever had. */
export class Station {
  readonly links: HeardLink[] = []

  constructor(readonly network: Network) {}

  start(): Promise<void> {
    return this.network.start({ link: link => this.links.push(new HeardLink(link)) })
  }

  open(kind: LinkKind, remote: PeerId): readonly HeardLink[] {
    return this.links.filter(
      ({ link, closed }) => link.kind === kind && link.remote === remote && closed === 0,
    )
  }
}

type Role = 'server' | 'client'

/** The networks of one test. */
class Bench {
  readonly #stations: Station[] = []

  constructor(readonly under: NetworkUnderTest) {}

  async station(network: Network): Promise<Station> {
    const station = new Station(network)
    this.#stations.push(station)
    await this.under.settle('start', station.start())
    return station
  }

  async pair(roles: readonly [Role, Role] = ['server', 'server']): Promise<[Station, Station]> {
    const a = await this.station(this.under.make(roles[0]))
    return [a, await this.station(this.under.make(roles[1]))]
  }

  /** Both ends of a swarm link, whoever opened it. */
  async swarmLink(a: Station, b: Station): Promise<[HeardLink, HeardLink]> {
    b.network.dialPeer(a.network.self)
    await this.under.until(
      'a swarm link',
      () =>
        a.open('swarm', b.network.self).length > 0 && b.open('swarm', a.network.self).length > 0,
    )
    return [a.open('swarm', b.network.self)[0]!, b.open('swarm', a.network.self)[0]!]
  }

  /** Both ends of a direct link that `a` opens. */
  async directLink(a: Station, b: Station): Promise<[HeardLink, HeardLink]> {
    const address = b.network.addresses[0]!
    const link = await this.under.settle('dial', a.network.dialAddress(address, b.network.self))
    const mine = a.links.find(heard => heard.link === link)!
    await this.under.until('the other end', () => b.open('direct', a.network.self).length > 0)
    return [mine, b.open('direct', a.network.self).at(-1)!]
  }

  async end(): Promise<void> {
    for (const { network } of this.#stations) await this.under.settle('stop', network.stop())
    await this.under.end()
  }
}

export function networkContract(name: string, make: () => Promise<NetworkUnderTest>): void {
  for (const [title, body] of cases) {
    test(`${name}: ${title}`, async t => {
      const bench = new Bench(await make())
      try {
        await body(t, bench)
      } finally {
        await bench.end()
      }
    })
  }
}

/** Bytes that tell one frame from another. */
export function frameOf(size: number, seed: number): Uint8Array {
  const frame = new Uint8Array(size)
  for (let i = 0; i < size; i++) frame[i] = (i * 31 + seed * 17 + (i >> 8)) & 255
  return frame
}

const SIZES = [1, 100, 4096, 65_536, 3, 1024 * 1024, 7]

async function exchange(t: Test, bench: Bench, ends: [HeardLink, HeardLink]): Promise<void> {
  for (const [from, to] of [ends, [...ends].reverse() as [HeardLink, HeardLink]] as const) {
    const sent = SIZES.map((size, i) => frameOf(size, i))
    for (const frame of sent) from.link.send(frame.slice())
    await bench.under.until('all frames', () => to.frames.length >= sent.length)
    t.deepEqual(
      to.frames.map(frame => frame.byteLength),
      SIZES,
      'each once, whole, in order',
    )
    t.ok(
      sent.every((frame, i) => Buffer.compare(frame, to.frames[i]!) === 0),
      'with the same bytes',
    )
  }
}

const cases: readonly (readonly [string, (t: Test, bench: Bench) => Promise<void>])[] = [
  [
    'two servers meet by a swarm link',
    async (t, bench) => {
      const [a, b] = await bench.pair()
      const [one, other] = await bench.swarmLink(a, b)
      t.equal(one.link.remote, b.network.self, 'who the other is')
      t.equal(other.link.remote, a.network.self, 'on both sides')
      t.notEqual(one.link.initiator, other.link.initiator, 'one of them opened it')
      await exchange(t, bench, [one, other])
    },
  ],
  [
    'a client meets a server',
    async (t, bench) => {
      const [server, client] = await bench.pair(['server', 'client'])
      t.ok(server.network.addresses.length > 0, 'a server can be dialled')
      t.deepEqual(client.network.addresses, [], 'a client cannot')
      await exchange(t, bench, await bench.swarmLink(server, client))
    },
  ],
  [
    'a direct link beside the swarm link',
    async (t, bench) => {
      const [server, client] = await bench.pair(['server', 'client'])
      await bench.swarmLink(server, client)
      const [mine, other] = await bench.directLink(client, server)
      t.deepEqual(
        [mine.link.kind, mine.link.initiator, mine.link.remote],
        ['direct', true, server.network.self],
      )
      t.deepEqual(
        [other.link.kind, other.link.initiator, other.link.remote],
        ['direct', false, client.network.self],
      )
      await exchange(t, bench, [mine, other])
      mine.link.close()
      await bench.under.until('both closed', () => mine.closed > 0 && other.closed > 0)
      t.equal(client.open('swarm', server.network.self).length, 1, 'the swarm link stays')
    },
  ],
  [
    'a dial by address wants the right peer, or anyone',
    async (t, bench) => {
      const [a, b] = await bench.pair()
      const address = b.network.addresses[0]!
      const wrong = await bench.under.settle('dial', a.network.dialAddress(address, a.network.self))
      t.equal(wrong, null, 'another identity is refused')
      t.equal(a.links.filter(({ link }) => link.kind === 'direct').length, 0)
      const any = await bench.under.settle('dial', a.network.dialAddress(address, null))
      t.equal(any?.remote, b.network.self, 'anyone of the cluster')
    },
  ],
  [
    'a link is closed once on both sides, and silent afterwards',
    async (t, bench) => {
      const [a, b] = await bench.pair()
      const [one, other] = await bench.directLink(a, b)
      one.link.send(frameOf(10, 1))
      await bench.under.until('a frame', () => other.frames.length === 1)
      one.link.close()
      one.link.close()
      one.link.send(frameOf(10, 2))
      other.link.send(frameOf(10, 3))
      await bench.under.until('both closed', () => one.closed > 0 && other.closed > 0)
      t.deepEqual([one.closed, other.closed], [1, 1])
      t.deepEqual([one.frames.length, other.frames.length], [0, 1])
    },
  ],
  [
    'a full link says so, and drains',
    async (t, bench) => {
      const [a, b] = await bench.pair()
      const [one, other] = await bench.directLink(a, b)
      const size = 1024 * 1024
      let sent = 0
      let full = false
      while (!full && sent < 32) full = !one.link.send(frameOf(size, sent++))
      t.ok(full, `full after ${sent} frames of 1 MiB`)
      await bench.under.until('drain', () => one.drains > 0)
      t.ok(one.link.send(frameOf(10, 99)), 'takes frames again')
      await bench.under.until('all frames', () => other.frames.length === sent + 1)
      t.ok(
        other.frames
          .slice(0, sent)
          .every((frame, i) => Buffer.compare(frame, frameOf(size, i)) === 0),
        'none lost, none changed',
      )
    },
  ],
  [
    'who stops is gone',
    async (t, bench) => {
      const [a, b] = await bench.pair()
      const [one] = await bench.directLink(a, b)
      const [swarm] = await bench.swarmLink(a, b)
      const address = b.network.addresses[0]!
      await bench.under.settle('stop', b.network.stop())
      await bench.under.until('closed', () => one.closed === 1 && swarm.closed === 1)
      const after = await bench.under.settle('dial', a.network.dialAddress(address, b.network.self))
      t.equal(after, null, 'nobody answers any more')
      t.ok(
        b.links.every(({ closed }) => closed === 1),
        'its own links are closed as well',
      )
    },
  ],
  [
    'a stranger with another key gets no link',
    async (t, bench) => {
      if (!bench.under.stranger) return t.skip('this network knows one cluster only')
      const [a, b] = await bench.pair()
      const stranger = await bench.station(bench.under.stranger())
      stranger.network.dialPeer(a.network.self)
      await bench.swarmLink(a, b)
      for (const [from, to] of [
        [stranger, a],
        [b, stranger],
      ] as const) {
        const link = await bench.under.settle(
          'dial',
          from.network.dialAddress(to.network.addresses[0]!, to.network.self),
        )
        t.equal(link, null, 'not by address')
      }
      t.deepEqual(stranger.links, [], 'not at all')
      t.equal(a.open('direct', stranger.network.self).length, 0)
    },
  ],
]
