// Snapshots of two volumes at one point in time, and clones of them, while one client writes and
// servers and managers die as chance has it: each must show what was written up to some moment, and
// go on showing it while others are made and deleted, copies catch up, and layers merge.
//
//   npx tsx test/simulator/snapshots-at-random.ts FROM COUNT
import { pathToFileURL } from 'node:url'
import { byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { AdminCommand } from '../../src/net/admin.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedCluster, type Client, type Death } from './simulated-cluster.js'

const VOLUMES = ['v0', 'v1'] as const
const MIB = 2 ** 20
const STEPS = 30
const PLACES_MAX = 6
const LIMIT_MS = 3_600_000
const DEATHS: readonly Death[] = ['stop', 'kill', 'power', 'silent power']

/** In the order in which the writer writes one value to all of them. */
interface Place {
  readonly volume: (typeof VOLUMES)[number]
  readonly block: number
}

/** Written by itself: what it shows is what was put there, or what its origin has. */
interface Clone {
  readonly name: string
  readonly opened: OpenVolume
  readonly values: Map<Place, number>
  readonly origin: string
  flat: boolean
}

/** By name the values of all places. */
type Pictures = Map<string, readonly number[]>

export class SnapshotsAtRandom {
  readonly findings: string[] = []
  made = 0
  readonly #cluster: SimulatedCluster
  readonly #random: SeededRandom
  readonly #places: readonly Place[]
  readonly #pictures: Pictures = new Map()
  readonly #volumes = new Map<string, OpenVolume>()
  readonly #clones = new Map<string, Clone>()
  cloned = 0
  readonly #returning = new Set<Promise<void>>()
  #client!: Client
  #written = 0
  #acknowledged = 0
  #writing = true
  #next = 1

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    this.#random = cluster.stream('snapshots')
    this.#places = Array.from({ length: 2 + this.#random.below(PLACES_MAX - 1) }, (_, i) => ({
      volume: VOLUMES[i % 2]!,
      // Several shards, some blocks of which are written by one write after the other.
      block: this.#random.pick([0, 1, 511, 1023, 1024, 4097]) + 2048 * Math.floor(i / 2),
    }))
  }

  async story(): Promise<void> {
    this.#client = await this.#cluster.startClient()
    for (const name of VOLUMES) {
      const wish = { name, size: 64 * MIB, replicas: 3, minInSync: 2 }
      this.#volumes.set(name, await this.#cluster.createVolume(this.#client, wish))
    }
    const writer = this.#write()
    for (let step = 0; step < STEPS; step++) await this.#step()
    this.#cluster.swarm.heal()
    await Promise.all(this.#returning)
    await this.#cluster.until('all is in-sync again', () => this.#cluster.healthy)
    await this.#lookAtAll()
    this.#writing = false
    await writer
    await this.#rollBack()
    await this.#lookAtAll()
    await this.#client.stop()
    this.findings.push(...(await differences(this.#cluster)), ...this.#cluster.findings)
  }

  async #write(): Promise<void> {
    const random = this.#random
    while (this.#writing) {
      const value = ++this.#written
      for (const { volume, block } of this.#places) {
        const offset = byteOffset(block * BLOCK_BYTES)
        await this.#volumes.get(volume)!.write(offset, content(value))
      }
      this.#acknowledged = value
      if (random.chance(0.1)) for (const one of this.#volumes.values()) await one.flush()
      if (random.chance(0.2)) await wait(this.#cluster.clock, random.below(40))
    }
  }

  async #step(): Promise<void> {
    const chance = this.#random.below(100)
    if (chance < 35) await this.#create()
    else if (chance < 50) await this.#delete()
    else if (chance < 60) await this.#clone()
    else if (chance < 65) await this.#changeClone()
    else if (chance < 85) this.#die()
    else await this.#lookAtAll()
    await wait(this.#cluster.clock, this.#random.pick([0, 1, 5, 50, 500, 3_000]))
  }

  async #create(): Promise<void> {
    const name = `s${this.#next++}`
    const least = this.#acknowledged
    const snapshots = VOLUMES.map(volume => ({ volume, name }))
    const made = await this.#ask({ command: 'snapshot-create', snapshots })
    const most = this.#written
    if (!made) return
    this.made++
    const picture = await this.#look(name)
    if (picture === null) return
    const [first = 0, last = 0] = [picture[0], picture.at(-1)]
    const ordered = picture.every((value, i) => i === 0 || picture[i - 1]! >= value)
    const isMoment = ordered && first - last <= 1 && last >= least && first <= most
    if (!isMoment) this.findings.push(`${name} shows ${picture.join(' ')}, not ${least}..${most}`)
    this.#pictures.set(name, picture)
  }

  async #delete(): Promise<void> {
    const [name] = this.#pictures.keys()
    const chosen = this.#random.chance(0.5) ? name : this.#random.pick([...this.#pictures.keys()])
    if (chosen === undefined) return
    const isOrigin = [...this.#clones.values()].some(one => one.origin === chosen && !one.flat)
    for (const volume of VOLUMES) {
      const gone = await this.#ask({ command: 'snapshot-delete', volume, name: chosen })
      if (gone && isOrigin && volume === VOLUMES[0]) {
        this.findings.push(`${chosen} is deleted, and a clone needs it`)
      }
      // Perhaps of one volume only, or of none, and nobody knows: it is not looked at any more.
      if (!gone) break
    }
    this.#pictures.delete(chosen)
  }

  /** Of the first volume, which the writer goes on writing. */
  async #clone(): Promise<void> {
    const [volume] = VOLUMES
    const names = [...this.#pictures.keys()]
    if (names.length === 0) return
    const snapshot = this.#random.pick(names)
    const name = `c${this.#next++}`
    if (!(await this.#ask({ command: 'snapshot-clone', volume, snapshot, name }))) return
    const there = (): boolean => this.#client.driver.open(name) !== null
    if (!(await this.#cluster.within(5_000, there))) return
    this.cloned++
    const picture = this.#pictures.get(snapshot)!
    const values = new Map<Place, number>()
    this.#places.forEach((place, i) => {
      if (place.volume === volume) values.set(place, picture[i]!)
    })
    const opened = this.#client.driver.open(name)!
    this.#clones.set(name, { name, opened, values, origin: snapshot, flat: false })
    await this.#lookAtClone(this.#clones.get(name)!)
  }

  /** Written, flattened or deleted. */
  async #changeClone(): Promise<void> {
    const names = [...this.#clones.keys()]
    if (names.length === 0) return
    const clone = this.#clones.get(this.#random.pick(names))!
    const { name } = clone
    const chance = this.#random.below(10)
    if (chance < 3) {
      // Whatever the answer is, and if there is none, it may be so by now.
      await this.#ask({ command: 'volume-flatten', name })
      clone.flat = true
    } else if (chance < 4) {
      // Refused while it is attached, as it is once it was written.
      await this.#ask({ command: 'volume-delete', name })
      this.#clones.delete(name)
    } else {
      for (const place of clone.values.keys()) {
        if (this.#random.chance(0.5)) continue
        const value = 1_000_000 + this.#next++
        await clone.opened.write(byteOffset(place.block * BLOCK_BYTES), content(value))
        clone.values.set(place, value)
      }
    }
    if (this.#clones.has(name)) await this.#lookAtClone(clone)
  }

  async #lookAtClone({ name, opened, values }: Clone): Promise<void> {
    for (const [{ block }, value] of values) {
      const into = new Uint8Array(BLOCK_BYTES)
      await opened.read(byteOffset(block * BLOCK_BYTES), into)
      const [found = 0] = new Uint32Array(into.buffer)
      if (found !== value) this.findings.push(`${name} shows ${found} at ${block}, not ${value}`)
    }
  }

  /** A server, while the others are in-sync, or any manager. */
  #die(): void {
    const cluster = this.#cluster
    const server = this.#random.chance(0.7)
    const name = this.#random.pick(server ? cluster.serverNames : cluster.managerNames)
    const allUp = [...cluster.serverNames, ...cluster.managerNames].every(one => cluster.isUp(one))
    if (!allUp || (server && !cluster.healthy)) return
    const death = this.#random.pick(DEATHS)
    const pause = this.#random.pick([0, 50, 500, 4_000])
    const returning = (async (): Promise<void> => {
      if (server) await cluster.endServer(name, death)
      else await cluster.endManager(name, death)
      await wait(cluster.clock, pause)
      if (server) await cluster.startServer(name)
      else await cluster.startManager(name)
    })().finally(() => this.#returning.delete(returning))
    this.#returning.add(returning)
  }

  async #lookAtAll(): Promise<void> {
    for (const clone of this.#clones.values()) await this.#lookAtClone(clone)
    for (const [name, picture] of [...this.#pictures]) {
      const now = await this.#look(name)
      if (now === null || now.join() === picture.join()) continue
      this.findings.push(`${name} shows ${now.join(' ')}, and showed ${picture.join(' ')}`)
    }
  }

  /** Null: this client has not heard of it, or no more. */
  async #look(name: string): Promise<readonly number[] | null> {
    const seen = (): boolean =>
      VOLUMES.every(volume => this.#client.driver.openSnapshot(volume, name) !== null)
    if (!(await this.#cluster.within(5_000, seen))) return null
    const values: number[] = []
    for (const { volume, block } of this.#places) {
      const into = new Uint8Array(BLOCK_BYTES)
      const offset = byteOffset(block * BLOCK_BYTES)
      await this.#client.driver.openSnapshot(volume, name)!.read(offset, into)
      values.push(new Uint32Array(into.buffer)[0]!)
    }
    return values
  }

  /** To any snapshot, when nobody may write: that is what is read then, and the others stay. */
  async #rollBack(): Promise<void> {
    const names = [...this.#pictures.keys()]
    if (names.length === 0) return
    const name = this.#random.pick(names)
    await this.#client.stop()
    this.#client = await this.#cluster.startClient()
    for (const [key, clone] of this.#clones) {
      const opened = this.#client.driver.open(clone.name)
      if (opened) this.#clones.set(key, { ...clone, opened })
      else this.#clones.delete(key)
    }
    for (const volume of VOLUMES) {
      const back = (): Promise<boolean> => this.#ask({ command: 'snapshot-rollback', volume, name })
      if (!(await back())) this.findings.push(`${volume} is not rolled back to ${name}`)
    }
    const values: number[] = []
    for (const { volume, block } of this.#places) {
      const into = new Uint8Array(BLOCK_BYTES)
      await this.#client.driver.open(volume)!.read(byteOffset(block * BLOCK_BYTES), into)
      values.push(new Uint32Array(into.buffer)[0]!)
    }
    const picture = this.#pictures.get(name) ?? []
    if (values.join() !== picture.join()) {
      this.findings.push(`rolled back to ${name}: ${values.join(' ')}, not ${picture.join(' ')}`)
    }
  }

  async #ask(command: AdminCommand): Promise<boolean> {
    try {
      const { ok } = await this.#cluster.admin(this.#client, command)
      return ok
    } catch (error) {
      // The manager died with the question.
      if (!(error instanceof Error) || isSwarmdiskError(error)) throw error
      return false
    }
  }
}

export async function runSnapshotsAtRandom(
  seed: number,
): Promise<Pick<SnapshotsAtRandom, 'findings' | 'made' | 'cloned'>> {
  const cluster = await SimulatedCluster.start({ seed, servers: 3, managers: 3, disks: 'any' })
  const story = new SnapshotsAtRandom(cluster)
  await cluster.run('snapshots at random', story.story(), LIMIT_MS)
  return story
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [from = 1, count = 20] = process.argv.slice(2).map(Number)
  let failed = 0
  let [made, cloned] = [0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const { findings, ...here } = await runSnapshotsAtRandom(seed).catch((error: unknown) => ({
      findings: [String(error)],
      made: 0,
      cloned: 0,
    }))
    made += here.made
    cloned += here.cloned
    if (findings.length === 0) continue
    failed++
    console.log(`seed ${seed}: ${findings.slice(0, 5).join('\n  ')}`)
  }
  console.log(`${count} runs, ${failed} failed, ${made} snapshots made, ${cloned} cloned`)
  process.exit(failed > 0 ? 1 : 0)
}
