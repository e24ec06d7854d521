// Snapshots of two volumes at one point in time (design §6, I6), and clones of them, while a client
// writes, servers and managers die, and copies move, as chance has it: each must show what was
// written up to some moment, and go on showing it while others are made, deleted and rolled back
// to, copies catch up, and layers merge.
import { wait } from '../../../src/base/clock.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import type { AdminCommand } from '../../../src/net/admin.js'
import { differences } from '../check/holdings.js'
import type { SeededRandom } from '../seeded-random.js'
import { SimulatedCluster, type Client } from '../simulated-cluster.js'
import type { Sink } from '../trace.js'
import { Clones } from './clones.js'
import { Disturbances } from './disturbances.js'
import { drawPlaces, isMoment, shown, VOLUMES, type Place } from './moment.js'
import { valueAt, Writer } from './writer.js'

const MIB = 2 ** 20
const STEPS = 30
/** At most so many are written in a row. */
const VALUES_MAX = 30
const PAUSES_MS = [0, 1, 5, 50, 500, 3_000]
/** Until a client has heard of what was made, unless it is cut off. */
const HEARD_MS = 5_000
/** All servers and managers are there again by then, and nobody has the volume. */
const ROLLED_BACK_MS = 120_000
const HEALING_LIMIT_MS = 300_000
const RUN_LIMIT_MS = 3_600_000

/** What all places show. */
type Picture = ReadonlyMap<Place, number>

export interface SnapshotsOutcome {
  readonly findings: readonly string[]
  /** Values that were compared with what they must be. */
  readonly compared: number
  /** How often each thing happened. */
  readonly counts: ReadonlyMap<string, number>
  /** Virtual milliseconds. */
  readonly time: number
}

class SnapshotsStory {
  readonly #cluster: SimulatedCluster
  readonly #random: SeededRandom
  readonly #places: readonly Place[]
  readonly #findings: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #pictures = new Map<string, Picture>()
  readonly #writer: Writer
  readonly #clones: Clones
  readonly #disturbances: Disturbances
  #client!: Client
  #next = 1
  #compared = 0

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    this.#random = cluster.stream('snapshots')
    this.#places = drawPlaces(this.#random)
    const host = {
      ...{ cluster, random: this.#random, findings: this.#findings },
      client: (): Client => this.#client,
      ask: (command: AdminCommand): Promise<boolean> => this.#cluster.ask(this.#client, command),
      within: (condition: () => boolean): Promise<boolean> => cluster.within(HEARD_MS, condition),
      count: (what: string): void => this.#count(what),
    }
    this.#clones = new Clones(host)
    this.#disturbances = new Disturbances(host)
    this.#writer = new Writer({ clock: cluster.clock, random: this.#random, places: this.#places })
  }

  async tell(): Promise<SnapshotsOutcome> {
    this.#client = await this.#cluster.startClient()
    for (const name of VOLUMES) await this.#createVolume(name)
    for (let step = 0; step < STEPS; step++) await this.#step()
    await this.#disturbances.end()
    await this.#cluster.until(
      'I7: all is in-sync again',
      () => this.#cluster.healthy,
      HEALING_LIMIT_MS,
    )
    await this.#lookAtAll()
    await this.#rollBack()
    await this.#lookAtAll()
    await this.#writer.stop()
    await this.#lookAtHead()
    await this.#client.stop()
    const differing = await differences(this.#cluster)
    return {
      findings: [...this.#findings, ...differing, ...this.#cluster.findings],
      compared: this.#compared,
      counts: this.#counts,
      time: this.#cluster.clock.now(),
    }
  }

  /** A link may be replaced by a better one, and the answer goes with it. */
  async #createVolume(name: string): Promise<void> {
    const wish = { name, size: 64 * MIB, replicas: 3, minInSync: 2, force: false }
    const there = (): boolean => this.#client.driver.open(name) !== null
    while (!there()) {
      await this.#cluster.ask(this.#client, { command: 'volume-create', ...wish })
      await this.#cluster.within(HEARD_MS, there)
    }
  }

  async #step(): Promise<void> {
    if (this.#random.chance(0.6)) this.#write()
    const chance = this.#random.below(100)
    if (chance < 32) await this.#create()
    else if (chance < 46) await this.#delete()
    else if (chance < 55) await this.#clone()
    else if (chance < 61) await this.#clones.change()
    else if (chance < 86) await this.#disturbances.begin()
    else if (chance < 89) await this.#rollBack()
    else await this.#lookAtAll()
    await wait(this.#cluster.clock, this.#random.pick(PAUSES_MS))
  }

  async #create(): Promise<void> {
    const name = `s${this.#next++}`
    this.#write()
    if (this.#random.chance(0.5)) await wait(this.#cluster.clock, this.#random.pick(PAUSES_MS))
    const least = this.#writer.acknowledged
    const snapshots = VOLUMES.map(volume => ({ volume, name }))
    const made = await this.#cluster.ask(this.#client, { command: 'snapshot-create', snapshots })
    const most = this.#writer.written
    if (!made) return
    this.#count('snapshot')
    const picture = await this.#look(name)
    if (picture === null) return
    const values = [...picture.values()]
    if (!isMoment(this.#places, values, { least, most })) {
      this.#findings.push(`I6: ${name} shows ${values.join(' ')}, not ${least}..${most}`)
    }
    this.#pictures.set(name, picture)
  }

  async #delete(): Promise<void> {
    const names = [...this.#pictures.keys()]
    if (names.length === 0) return
    const name = this.#random.chance(0.5) ? names[0]! : this.#random.pick(names)
    const needed = this.#clones.needs(name)
    for (const volume of VOLUMES) {
      const gone = await this.#cluster.ask(this.#client, {
        command: 'snapshot-delete',
        volume,
        name,
      })
      if (gone && needed && volume === VOLUMES[0]) {
        this.#findings.push(`I6: ${name} is deleted, and a clone needs it`)
      }
      // Perhaps of one volume only, or of none, and nobody knows: it is not looked at any more.
      if (!gone) break
      this.#count('delete')
    }
    this.#pictures.delete(name)
  }

  /** Of the first volume, which the writer goes on writing. */
  async #clone(): Promise<void> {
    const names = [...this.#pictures.keys()]
    if (names.length === 0) return
    const name = this.#random.pick(names)
    // Sometimes a server learns of the clone, and that it is one no more, at the same time.
    const flat = this.#random.chance(0.3)
    if (flat) this.#disturbances.standStill()
    await this.#clones.make({ volume: VOLUMES[0], name, flat }, this.#pictures.get(name)!)
  }

  /** To any snapshot, by another client: that is what is read then, and the others stay. */
  async #rollBack(): Promise<void> {
    const names = [...this.#pictures.keys()]
    if (names.length === 0) return
    const name = this.#random.pick(names)
    await this.#writer.stop()
    await this.#client.stop()
    this.#client = await this.#cluster.startClient()
    const seen = (): boolean => VOLUMES.every(volume => this.#client.driver.open(volume) !== null)
    await this.#cluster.until('another client sees the volumes', seen)
    this.#clones.reopen()
    for (const volume of VOLUMES) await this.#rollBackOne(volume, name)
    this.#count('rollback')
    // Until it has heard of it a client may read what was there before; whoever attaches has heard.
    const opened = VOLUMES.map(volume => this.#client.driver.open(volume)!)
    for (const one of opened) await one.attach()
    const values = await this.#valuesOf(volume => this.#client.driver.open(volume)!)
    for (const one of opened) await one.release()
    this.#compare(`rolled back to ${name}`, values, this.#pictures.get(name)!)
    this.#write()
    const before = this.#writer.acknowledged
    // What was there before is over: from the next value on snapshots show moments again.
    await this.#cluster.until(
      'the writer has begun anew',
      () => this.#writer.acknowledged > before,
      HEALING_LIMIT_MS,
    )
  }

  /** Again and again: while the manager does not answer, or has not heard that nobody writes. */
  async #rollBackOne(volume: string, name: string): Promise<void> {
    const { clock } = this.#cluster
    const end = clock.now() + ROLLED_BACK_MS
    while (
      !(await this.#cluster.ask(this.#client, { command: 'snapshot-rollback', volume, name }))
    ) {
      if (clock.now() > end) throw new Error(`I7: ${volume} is not rolled back to ${name}`)
      await wait(clock, 500)
    }
  }

  /** The writer has ended. */
  async #lookAtHead(): Promise<void> {
    const { written } = this.#writer
    const values = await this.#valuesOf(volume => this.#client.driver.open(volume)!)
    const last = new Map(this.#places.map(place => [place, shown(place, written)]))
    this.#compare('the volume', values, last)
  }

  async #lookAtAll(): Promise<void> {
    await this.#clones.lookAtAll()
    for (const [name, picture] of [...this.#pictures]) {
      const now = await this.#look(name)
      if (now !== null) this.#compare(name, now, picture)
    }
  }

  /** Null: this client has not heard of it, or no more. */
  async #look(name: string): Promise<Picture | null> {
    const { driver } = this.#client
    const seen = (): boolean => VOLUMES.every(volume => driver.openSnapshot(volume, name) !== null)
    if (!(await this.#cluster.within(HEARD_MS, seen))) return null
    return this.#valuesOf(volume => driver.openSnapshot(volume, name)!)
  }

  async #valuesOf(open: (volume: string) => Pick<OpenVolume, 'read'>): Promise<Picture> {
    const values = new Map<Place, number>()
    for (const place of this.#places) {
      values.set(place, await valueAt(open(place.volume), place.block))
    }
    return values
  }

  #compare(what: string, found: Picture, expected: Picture): void {
    this.#compared += found.size
    if ([...found].every(([place, value]) => value === expected.get(place))) return
    const [values, wanted] = [found, expected].map(picture => [...picture.values()].join(' '))
    this.#findings.push(`I6: ${what} shows ${values}, and must show ${wanted}`)
  }

  #write(): void {
    const volumes = new Map(VOLUMES.map(name => [name, this.#client.driver.open(name)!]))
    this.#writer.write(volumes, 1 + this.#random.below(VALUES_MAX))
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

export async function runSnapshots(
  seed: number,
  sink: Sink | null = null,
): Promise<SnapshotsOutcome> {
  const servers = 3 + (seed % 3)
  const cluster = await SimulatedCluster.start({ seed, servers, managers: 3, disks: 'any', sink })
  return cluster.run('snapshots', new SnapshotsStory(cluster).tell(), RUN_LIMIT_MS)
}
