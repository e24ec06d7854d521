// Converts the history of a release that knew one manager only (format version 1, read by
// src/manager/history/version-1) into the current format: epoch n becomes the entry of index n and
// term 1, the snapshot stays one. The old files count until the mark of the new format is durable;
// a crash before it starts over, one after it leaves old files behind that mean nothing any more.
import { isSwarmdiskError } from '../../../base/errors.js'
import { HISTORY_BATCH_RECORDS } from '../../../base/limits.js'
import type { PeerId } from '../../../base/brands.js'
import type { Log } from '../../../base/log.js'
import type { Disk } from '../../../disk/disk.js'
import { writeReplacing } from '../../../disk/durable-file.js'
import type { Configuration } from '../../../layout/configuration.js'
import { encodeConfiguration } from '../../../net/codecs/configuration.js'
import type { LogEntry, LogIndex, Term } from '../../../net/manager-messages.js'
import type { HardState } from '../../raft/raft-types.js'
import { decodeRecord } from '../history-record.js'
import { damagedSegment, loadSegment, segmentsIn } from '../version-1/segments.js'
import { readSnapshot } from '../version-1/snapshot.js'
import type { FrameContent } from './frame-content.js'
import { writeMark } from './format-mark.js'
import { discard } from './recover.js'
import { encodeSegment, FOLDER, openExisting, segmentPath } from './segment-file.js'
import { writeSnapshot } from './stored-snapshot.js'

const FIRST_TERM = 1 as Term

/** Of a folder without the mark of the current format. */
export function isVersion1(names: readonly string[]): boolean {
  return names.includes('snapshot') || segmentsIn(names).length > 0
}

export async function convertVersion1(disk: Disk, log: Log): Promise<void> {
  // What an attempt has left that a crash has ended.
  for (const path of await converted(disk)) await disk.remove(path)
  await disk.syncFolder(FOLDER)
  const snapshot = await readSnapshot(disk, FOLDER)
  const conversion = new Conversion(disk, log, snapshot)
  try {
    await conversion.run()
  } catch (error) {
    // Nothing has changed, and a full disk gets its space back.
    if (isSwarmdiskError(error)) await discard(disk, log, await converted(disk))
    throw error
  }
  await writeMark(disk)
  log.info('the history of an earlier release was converted', { epoch: conversion.epoch })
}

async function converted(disk: Disk): Promise<readonly string[]> {
  const names = await disk.list(FOLDER)
  return names.filter(name => /^(entries|snapshot)-/.test(name)).map(name => `${FOLDER}/${name}`)
}

class Conversion {
  readonly #disk: Disk
  readonly #log: Log
  readonly #snapshot: Configuration | null
  #members: readonly PeerId[]
  // Behind the snapshot.
  readonly #entries: LogEntry[] = []
  #segments = 0

  constructor(disk: Disk, log: Log, snapshot: Configuration | null) {
    this.#disk = disk
    this.#log = log
    this.#snapshot = snapshot
    this.#members = snapshot?.managers.map(({ id }) => id) ?? []
  }

  /** The newest one. */
  get epoch(): number {
    return this.#entries.at(-1)?.index ?? this.#base
  }

  async run(): Promise<void> {
    const places = segmentsIn(await this.#disk.list(FOLDER))
    for (const [i, place] of places.entries()) {
      const entries = await this.#read(place, i === places.length - 1)
      const older = entries.filter(({ index }) => index <= this.#base)
      // Newer segments tell what comes after these, so that nobody reads them but `epoch list`.
      if (older[0]) await this.#write(older[0].index - 1, older)
      const newer = entries.slice(older.length)
      if (newer[0] && newer[0].index !== this.epoch + 1) {
        const why = `epochs ${this.epoch + 1} to ${newer[0].index - 1} are missing`
        throw damagedSegment(`${FOLDER}/${place.name}`, why)
      }
      this.#entries.push(...newer)
    }
    if (this.#snapshot) {
      const place = { index: this.#base as LogIndex, term: FIRST_TERM, members: this.#members }
      await writeSnapshot(this.#disk, { ...place, data: encodeConfiguration(this.#snapshot) })
    }
    await this.#write(this.#base, this.#entries)
  }

  get #base(): number {
    return this.#snapshot?.epoch ?? 0
  }

  async #read(
    { name, firstEpoch }: { readonly name: string; readonly firstEpoch: number },
    last: boolean,
  ): Promise<readonly LogEntry[]> {
    const path = `${FOLDER}/${name}`
    const file = await openExisting(this.#disk, path)
    try {
      const { records, torn } = await loadSegment(file, { path, firstEpoch, last })
      if (torn > 0) {
        const fields = { file: path, bytes: torn }
        this.#log.warn('left out a change that was being written when the manager stopped', fields)
      }
      return records.map((data, i) => this.#entry(data, { path, epoch: firstEpoch + i }))
    } finally {
      await file.close()
    }
  }

  #entry(data: Uint8Array, expected: { readonly path: string; readonly epoch: number }): LogEntry {
    const { epoch, change } = decodeRecord(data)
    if (epoch !== expected.epoch) {
      throw damagedSegment(expected.path, `epoch ${epoch} stands in the place of another`)
    }
    const created = change.kind === 'cluster-created'
    if (created) this.#members = [change.manager.id]
    const members = created ? this.#members : null
    return { index: expected.epoch as LogIndex, term: FIRST_TERM, members, data }
  }

  async #write(base: number, entries: readonly LogEntry[]): Promise<void> {
    const number = ++this.#segments
    const header = {
      ...{ number, reset: false, baseIndex: base as LogIndex, baseEpoch: base },
      baseTerm: base > 0 ? FIRST_TERM : (0 as Term),
    }
    const commit = entries.at(-1)?.index ?? (base as LogIndex)
    const frames: FrameContent[] = [{ hardState: this.#hardState(), commit, entries: [] }]
    for (let i = 0; i < entries.length; i += HISTORY_BATCH_RECORDS) {
      const some = entries.slice(i, i + HISTORY_BATCH_RECORDS)
      frames.push({ hardState: null, commit, entries: some })
    }
    await writeReplacing(this.#disk, segmentPath(number), encodeSegment(header, frames))
  }

  /** The one manager led in the first term, so it never votes for another one in that. */
  #hardState(): HardState {
    const [only] = this.#members
    if (only === undefined) return { term: 0 as Term, vote: null }
    return { term: FIRST_TERM, vote: this.#members.length === 1 ? only : null }
  }
}
