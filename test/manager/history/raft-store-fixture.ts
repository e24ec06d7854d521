// Entries, batches and a model of what a RaftStore must hold, for tests of the store.
import { isDeepStrictEqual } from 'node:util'
import { epoch, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import type { Disk } from '../../../src/disk/disk.js'
import type { HistoryRecord } from '../../../src/manager/history/configuration-history.js'
import { FileRaftStore } from '../../../src/manager/history/file-raft-store.js'
import { decodeRecord, encodeRecord } from '../../../src/manager/history/history-record.js'
import type {
  OpenedRaftStore,
  RaftBatch,
  RaftStore,
} from '../../../src/manager/history/raft-store.js'
import type { HardState } from '../../../src/manager/raft/raft-types.js'
import type { LogEntry, LogIndex, LogSnapshot, Term } from '../../../src/net/manager-messages.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { ORIGIN, registered } from './history-fixture.js'

export const at = (n: number): LogIndex => n as LogIndex
export const term = (n: number): Term => n as Term
export const EVERYTHING = epoch(2 ** 30 - 1)

export function openStore(disk: Disk): Promise<OpenedRaftStore> {
  return FileRaftStore.open({ disk, log: silentLog })
}

/** `name` tells records of one epoch apart. */
export function entry(
  index: number,
  of: { readonly term: number; readonly epoch: number; readonly name?: string },
): LogEntry {
  const record = {
    ...ORIGIN,
    epoch: epoch(of.epoch),
    at: '2026-01-01T00:00:00.000Z',
    text: of.name ?? `epoch ${of.epoch} of term ${of.term}`,
    change: registered(testPeer(2)),
  }
  return { index: at(index), term: term(of.term), members: null, data: encodeRecord(record) }
}

/** As a leader begins its term. */
export function emptyEntry(index: number, of: number): LogEntry {
  return { index: at(index), term: term(of), members: null, data: new Uint8Array(0) }
}

export function snapshotAt(index: number, of: number, data = 'a configuration'): LogSnapshot {
  const members = [testPeer(1), testPeer(3)]
  return { index: at(index), term: term(of), members, data: Buffer.from(data) }
}

export function batch(part: Partial<RaftBatch>): RaftBatch {
  return { hardState: null, snapshot: null, entries: [], commit: at(0), ...part }
}

export function hardState(of: number, vote: PeerId | null = null): HardState {
  return { term: term(of), vote }
}

/** One entry a batch, epochs as indexes, all of term 1. */
export async function appendEach(store: RaftStore, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    const entries = [entry(i, { term: 1, epoch: i })]
    await store.persist(batch({ entries, commit: at(i - 1) }))
  }
}

/** What a store must hold. */
export interface Model {
  readonly hardState: HardState
  readonly commit: LogIndex
  readonly snapshot: LogSnapshot | null
  readonly entries: readonly LogEntry[]
  /** In the snapshot, and still listed. */
  readonly older: readonly LogEntry[]
}

export const EMPTY: Model = {
  hardState: hardState(0),
  commit: at(0),
  snapshot: null,
  entries: [],
  older: [],
}

export function lastOf({ entries, snapshot }: Pick<Model, 'entries' | 'snapshot'>): LogIndex {
  return entries.at(-1)?.index ?? snapshot?.index ?? at(0)
}

export function afterBatch(model: Model, write: RaftBatch): Model {
  const { snapshot, entries } = write
  const state = write.hardState ?? model.hardState
  if (!snapshot && entries.length === 0 && !write.hardState) return model
  const last = entries.at(-1)?.index ?? snapshot?.index ?? lastOf(model)
  const known = at(write.commit <= last ? Math.max(model.commit, write.commit) : model.commit)
  if (snapshot) {
    const commit = at(Math.max(known, snapshot.index))
    return { hardState: state, commit, snapshot, entries, older: [] }
  }
  const first = entries[0]?.index ?? Infinity
  const kept = model.entries.filter(({ index }) => index < first)
  return { ...model, hardState: state, commit: known, entries: [...kept, ...entries] }
}

export function afterCompaction(model: Model, snapshot: LogSnapshot): Model {
  const older = model.entries.filter(({ index }) => index <= snapshot.index)
  return {
    ...model,
    commit: at(Math.max(model.commit, snapshot.index)),
    snapshot,
    entries: model.entries.filter(({ index }) => index > snapshot.index),
    older: [...model.older, ...older],
  }
}

function committedRecords({ older, entries, commit }: Model): readonly HistoryRecord[] {
  return [...older, ...entries.filter(({ index }) => index <= commit)]
    .filter(({ data }) => data.byteLength > 0)
    .map(({ data }) => decodeRecord(data))
}

/** Empty: the store holds this; else what differs. */
export async function differences(opened: OpenedRaftStore, model: Model): Promise<string[]> {
  const { store, start } = opened
  const records = committedRecords(model)
  const last = records.at(-1)?.epoch ?? epoch(0)
  const pairs: Record<string, readonly [unknown, unknown]> = {
    'hard state': [start.hardState, model.hardState],
    commit: [start.commit, model.commit],
    snapshot: [snapshotText(start.snapshot), snapshotText(model.snapshot)],
    'snapshot()': [snapshotText(await store.snapshot()), snapshotText(model.snapshot)],
    entries: [start.entries.map(entryText), model.entries.map(entryText)],
    records: [await store.records(epoch(1), last, 10 ** 6), records],
  }
  return Object.entries(pairs).flatMap(([what, [found, wanted]]) =>
    isDeepStrictEqual(found, wanted) ? [] : [`${what}: ${show(found)}, not ${show(wanted)}`],
  )
}

const show = (value: unknown): string => JSON.stringify(value)

function snapshotText(snapshot: LogSnapshot | null): string {
  if (!snapshot) return 'none'
  const { index, term: of, members, data } = snapshot
  return `${index} ${of} ${members.join()} ${hex(data)}`
}

function entryText({ index, term: of, members, data }: LogEntry): string {
  return `${index} ${of} ${members?.join() ?? '-'} ${hex(data)}`
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  return null
}

export function flipped(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[offset]! ^= 1
  return copy
}
