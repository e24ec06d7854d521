// A stream becomes a snapshot of a volume, or nothing. Whatever was not sent by the stream must be
// what the stream starts from, so while it is written a snapshot of that, the mark, stands before
// it: an import that was broken off is found by it, its rest is rolled back, and it begins anew.
//
//   … monday ──► importing (the mark) ──► writes of the stream ──► tuesday, and the mark goes
//
// Nothing that somebody else has written is ever rolled back: the mark is only made of a volume
// that holds just what the stream starts from, and that nobody else may write to.
import { assert } from '../../base/assert.js'
import { byteCount, byteOffset } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { TRANSFER_PIECE_BYTES } from '../../base/limits.js'
import type { Configuration, SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'
import type { AdminCommand } from '../../net/admin.js'
import { identityOf, importMark, isMark } from '../../snapshot/identity.js'
import type { ClusterVolumeDriver } from '../driver.js'
import type { OpenVolume } from '../volume-driver.js'
import { ExportDecoder, type ExportItem } from './export-decoder.js'
import { counted, NO_COUNTS, type ExportCounts, type ExportHeader } from './export-format.js'
import { rangesOf } from './export-snapshot.js'
import { WritesAtOnce } from './pieces.js'

const MARK_NAME = 'importing'

/** A client of the cluster that can also ask its managers. */
export interface ImportCluster {
  readonly driver: ClusterVolumeDriver
  current(): Configuration
  /** Refusals are SwarmdiskErrors. */
  ask(command: AdminCommand): Promise<unknown>
  /** This client knows it, too. */
  until(known: (configuration: Configuration) => boolean): Promise<void>
}

export interface ImportOptions {
  readonly volume: string
  /** Of the snapshot; null: as the stream calls it. */
  readonly name: string | null
  /** Of a volume that is made. */
  readonly replicas: number
  readonly reached: (offset: number, size: number) => void
}

export interface ImportResult {
  readonly volume: string
  readonly snapshot: string
  readonly identity: string
  /** It was there already, and nothing was done. */
  readonly already: boolean
  readonly bytes: number
  readonly zeroes: number
}

export async function importSnapshot(
  cluster: ImportCluster,
  options: ImportOptions,
  stream: AsyncIterable<Uint8Array>,
): Promise<ImportResult> {
  const items = itemsOf(stream)
  const first = await items.next()
  assert(first.done !== true && first.value.kind === 'header', 'a header comes first')
  const { size, identity, name, from } = first.value
  const header = { size, identity, name, from }
  const work = new Import(cluster, { ...options, name: options.name ?? name }, header)
  try {
    return await work.run(items)
  } finally {
    await items.return(undefined)
  }
}

async function* itemsOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ExportItem> {
  const decoder = new ExportDecoder()
  for await (const bytes of stream) yield* decoder.push(bytes)
  decoder.finish()
}

class Import {
  readonly #cluster: ImportCluster
  readonly #o: ImportOptions & { readonly name: string }
  readonly #header: ExportHeader
  #counts: ExportCounts = NO_COUNTS

  constructor(
    cluster: ImportCluster,
    options: ImportOptions & { readonly name: string },
    header: ExportHeader,
  ) {
    this.#cluster = cluster
    this.#o = options
    this.#header = header
  }

  async run(items: AsyncIterable<ExportItem>): Promise<ImportResult> {
    const found = this.#record()
    const there = found && this.#withIdentity(found, this.#header.identity)
    // That of an import which has ended but for this. As the newest it is one that has not.
    if (found?.snapshots.slice(0, -1).some(isOwnMark)) await this.#deleteMark()
    if (there) return this.#result(there.name, true)
    if (found) this.#checkFits(found)
    else await this.#create()
    if (this.#mark()) await this.#rollBack()
    const volume = this.#open()
    await volume.attach()
    try {
      await this.#checkUntouched(volume)
      if (!this.#mark()) await this.#make(MARK_NAME, importMark(this.#header.from))
      await this.#grow()
      await this.#writeAll(volume, items)
      await this.#make(this.#o.name, this.#header.identity)
      await this.#deleteMark()
    } finally {
      await volume.release()
    }
    return this.#result(this.#o.name, false)
  }

  // ---- what is there ----------------------------------------------------------------------------

  #record(): VolumeRecord | null {
    const volumes = [...this.#cluster.current().volumes.values()]
    return volumes.find(({ name }) => name === this.#o.volume) ?? null
  }

  #existing(): VolumeRecord {
    const record = this.#record()
    if (record) return record
    throw new SwarmdiskError('not-found', `Volume ${this.#o.volume} does not exist any more.`)
  }

  #open(): OpenVolume {
    const volume = this.#cluster.driver.open(this.#o.volume)
    if (volume) return volume
    throw new SwarmdiskError('not-found', `Volume ${this.#o.volume} does not exist any more.`)
  }

  #withIdentity({ id: volume, snapshots }: VolumeRecord, identity: string): SnapshotRecord | null {
    const place = { cluster: this.#cluster.current().cluster, volume }
    return snapshots.find(one => identityOf(place, one) === identity) ?? null
  }

  /** Null: there is none, or it is not the newest any more. */
  #mark(): SnapshotRecord | null {
    const newest = this.#existing().snapshots.at(-1)
    return newest && isOwnMark(newest) ? newest : null
  }

  #checkFits(found: VolumeRecord): void {
    const { size, from } = this.#header
    const { volume, name } = this.#o
    if (found.size > size) {
      throw refused(
        `Volume ${volume} has ${found.size} bytes and the stream is of one of ${size}: give the ` +
          'name of another volume, since none is made smaller.',
      )
    }
    if (found.snapshots.some(one => one.name === name)) {
      throw refused(
        `Volume ${volume} has another snapshot "${name}": choose a name for this one with --name.`,
      )
    }
    const newest = found.snapshots.at(-1) ?? null
    if (newest && isOwnMark(newest)) {
      if (newest.source === importMark(from)) return
      throw refused(
        `Another import into volume ${volume} was broken off: complete that one, or undo it with ` +
          `"snapshot rollback" to ${volume}@${MARK_NAME}, and then "snapshot delete" of it.`,
      )
    }
    if (from === null) {
      if (newest === null) return // whether it is empty is looked at later
      throw refused(
        `Volume ${volume} has snapshots, and the stream is a whole volume: give the name of a ` +
          'new volume.',
      )
    }
    if (newest && this.#withIdentity(found, from) === newest) return
    const has = newest ? `its newest snapshot, "${newest.name}", is another one` : 'it has none'
    throw refused(
      `The stream goes on from snapshot ${from}, which is not the newest of volume ${volume} ` +
        `(${has}): import the streams in the order in which their snapshots were made.`,
    )
  }

  /** To be asked while we are the only one that may write. */
  async #checkUntouched(volume: OpenVolume): Promise<void> {
    // What others had asked for before is settled with it.
    await volume.flush()
    const record = this.#existing()
    const { from } = this.#header
    const origin = from === null ? null : this.#withIdentity(record, from)
    const base = origin ?? (from === null ? null : this.#mark())
    if (from !== null && base === null) {
      throw refused(`Snapshot ${from} of volume ${volume.name} was deleted meanwhile.`)
    }
    for await (const range of rangesOf(this.#cluster.driver, record, { from: base, to: null })) {
      const where = `at byte ${range.offset}`
      throw refused(
        base === null
          ? `Volume ${volume.name} has content already (${where}), and the stream is a whole ` +
              'volume: give the name of a new volume.'
          : `Volume ${volume.name} was written to since snapshot "${base.name}" (${where}): keep ` +
              'that in a clone if you need it, then roll back with "snapshot rollback ' +
              `${volume.name}@${base.name}" and import again.`,
      )
    }
  }

  // ---- what is done -----------------------------------------------------------------------------

  async #create(): Promise<void> {
    const { volume: name, replicas } = this.#o
    const { from, size } = this.#header
    if (from !== null) {
      throw new SwarmdiskError(
        'not-found',
        `There is no volume "${name}", and the stream goes on from a snapshot: import the full ` +
          'export first.',
      )
    }
    const shape = { name, size, replicas, minInSync: null, force: false }
    await this.#cluster.ask({ command: 'volume-create', ...shape })
    await this.#cluster.until(() => this.#record() !== null)
  }

  /** What an import that was broken off has left goes. */
  async #rollBack(): Promise<void> {
    // A client that has died may still be attached; it loses its place to us, which we give back.
    const volume = this.#open()
    await volume.attach()
    await volume.release()
    const name = { volume: this.#o.volume, name: MARK_NAME }
    const { epoch } = (await this.#cluster.ask({ command: 'snapshot-rollback', ...name })) as {
      readonly epoch: number
    }
    await this.#cluster.until(configuration => configuration.epoch >= epoch)
  }

  /** The one that was exported had grown since the snapshot before. */
  async #grow(): Promise<void> {
    const { size } = this.#header
    if (this.#existing().size >= size) return
    const { volume: name } = this.#o
    await this.#cluster.ask({ command: 'volume-resize', name, size, force: false })
    await this.#cluster.until(() => (this.#record()?.size ?? size) >= size)
  }

  async #make(name: string, source: string): Promise<void> {
    const { volume } = this.#o
    const snapshots = [{ volume, name, source }]
    await this.#cluster.ask({ command: 'snapshot-create', snapshots })
    await this.#cluster.until(
      () => this.#record()?.snapshots.some(one => one.name === name) ?? false,
    )
  }

  async #deleteMark(): Promise<void> {
    const { volume } = this.#o
    await this.#cluster.ask({ command: 'snapshot-delete', volume, name: MARK_NAME })
    await this.#cluster.until(() => !this.#record()?.snapshots.some(isOwnMark))
  }

  async #writeAll(volume: OpenVolume, items: AsyncIterable<ExportItem>): Promise<void> {
    const writes = new WritesAtOnce()
    for await (const item of items) {
      if (item.kind === 'header') continue
      const length = item.kind === 'data' ? item.content.length : item.length
      if (item.kind === 'data') await writes.add(volume.write(at(item.offset), item.content))
      else await this.#clear(volume, item, writes)
      this.#counts = counted(this.#counts, item.kind, length)
      this.#o.reached(item.offset + length, this.#header.size)
    }
    await writes.ended()
    await volume.flush()
  }

  /** Only what is no hole: a range that was trimmed may be long. */
  async #clear(
    volume: OpenVolume,
    { offset, length }: { readonly offset: number; readonly length: number },
    writes: WritesAtOnce,
  ): Promise<void> {
    if (length <= TRANSFER_PIECE_BYTES) {
      return writes.add(volume.write(at(offset), new Uint8Array(length)))
    }
    const content = this.#cluster.driver.changes(volume.name, { from: null, to: null })
    const within = { offset: at(offset), length: byteCount(length) }
    for await (const range of content?.ranges(within) ?? []) {
      for (let done = 0; done < range.length; done += TRANSFER_PIECE_BYTES) {
        const zeroes = new Uint8Array(Math.min(TRANSFER_PIECE_BYTES, range.length - done))
        await writes.add(volume.write(at(range.offset + done), zeroes))
      }
    }
  }

  #result(snapshot: string, already: boolean): ImportResult {
    const { volume } = this.#o
    const { dataBytes: bytes, zeroesBytes: zeroes } = this.#counts
    return { volume, snapshot, identity: this.#header.identity, already, bytes, zeroes }
  }
}

function isOwnMark({ name, source }: SnapshotRecord): boolean {
  return name === MARK_NAME && isMark(source)
}

function at(offset: number): ReturnType<typeof byteOffset> {
  return byteOffset(offset)
}

function refused(sentence: string): SwarmdiskError {
  return new SwarmdiskError('refused', sentence)
}
