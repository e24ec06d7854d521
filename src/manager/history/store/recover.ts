// What a start finds: the newest segment and its snapshot are the state, older segments serve
// `epoch list` only. Cuts a frame that a crash has torn, refuses with a sentence what can only be
// damage, and clears away what a crash kept somebody from removing.
import { isSwarmdiskError } from '../../../base/errors.js'
import type { Log } from '../../../base/log.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import type { LogEntry, LogIndex, LogSnapshot, Term } from '../../../net/manager-messages.js'
import type { HardState } from '../../raft/raft-types.js'
import type { FrameContent } from './frame-content.js'
import type { FrameIndex } from './frame-index.js'
import type { SegmentHeader } from './segment-format.js'
import {
  contentIn,
  damaged,
  FOLDER,
  indexOf,
  loadSegment,
  openExisting,
  readHeader,
  segmentNumbers,
  segmentPath,
  type LoadedSegment,
} from './segment-file.js'
import { otherSnapshots, readSnapshot, snapshotPath } from './stored-snapshot.js'

export interface Segment {
  readonly path: string
  readonly header: SegmentHeader
  bytes: number
  /** Null: not looked at yet, since a newer segment is all that a start needs. */
  index: FrameIndex | null
}

/** What follows the first frame of the newest segment, which repeats what was known before. */
export interface Growth {
  entries: number
  bytes: number
}

export interface Recovered {
  /** Oldest first. */
  readonly segments: readonly Segment[]
  /** Files of segments before a reset: to be removed before any other segment is. */
  readonly voided: readonly string[]
  /** Of the newest one; null if there is none. */
  readonly file: DiskFile | null
  readonly grown: Growth
  /** The last frame is the mark of a clean stop, or the first of its segment. */
  readonly sealed: boolean
  readonly hardState: HardState
  readonly commit: LogIndex
  readonly snapshot: LogSnapshot | null
  readonly entries: readonly LogEntry[]
}

export const NOTHING: Recovered = {
  segments: [],
  voided: [],
  file: null,
  grown: { entries: 0, bytes: 0 },
  sealed: true,
  hardState: { term: 0 as Term, vote: null },
  commit: 0 as LogIndex,
  snapshot: null,
  entries: [],
}

export async function recover(disk: Disk, log: Log): Promise<Recovered> {
  const names = await disk.list(FOLDER)
  const { segments, voided } = await findSegments(disk, names)
  const newest = segments.at(-1)
  if (!newest) throw damaged(FOLDER, 'all its files entries-… are missing')
  const file = await openExisting(disk, newest.path)
  try {
    const loaded = await loadSegment(file, { path: newest.path, last: true })
    await settleEnd(file, newest, { loaded, log })
    const snapshot = await snapshotOf(disk, newest)
    const state = replay(newest, loaded)
    await discard(disk, log, [
      ...otherSnapshots(names, newest.header.baseIndex),
      ...names.filter(name => LEFT_BEHIND.test(name)).map(name => `${FOLDER}/${name}`),
    ])
    return { segments, voided, file, snapshot, ...state }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Of attempts that a crash has ended, and of a history of version 1 that was converted. */
const LEFT_BEHIND = /^(entries-\d{10}\.new|snapshot\.new|log-\d{10})$/

/** Removes what does not count any more. A disk that refuses must not keep anybody from working. */
export async function discard(disk: Disk, log: Log, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  try {
    for (const path of paths) await disk.remove(path)
    await disk.syncFolder(FOLDER)
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    log.warn('old files of the history could not be removed', { error: error.message })
  }
}

async function findSegments(
  disk: Disk,
  names: readonly string[],
): Promise<{ readonly segments: Segment[]; readonly voided: readonly string[] }> {
  const segments: Segment[] = []
  const voided: string[] = []
  for (const number of segmentNumbers(names)) {
    const path = segmentPath(number)
    const { header, bytes } = await readHeader(disk, number)
    if (header.reset) voided.push(...segments.splice(0).map(segment => segment.path))
    segments.push({ path, header, bytes, index: null })
  }
  segments.forEach(({ header, path }, i) => {
    const before = segments[i - 1]
    if (before && before.header.number + 1 !== header.number) {
      throw damaged(path, 'the segment before it is missing')
    }
  })
  return { segments, voided }
}

/** From here on the end of the segment is what a power cut would leave, too. */
async function settleEnd(
  file: DiskFile,
  segment: Segment,
  { loaded, log }: { readonly loaded: LoadedSegment; readonly log: Log },
): Promise<void> {
  const torn = loaded.bytes.byteLength - loaded.end
  if (torn > 0) {
    log.warn('cut a change that was being written when the manager stopped', {
      file: segment.path,
      bytes: torn,
    })
    await file.truncate(loaded.end)
  }
  // The process that wrote it may have been killed before its sync.
  await file.sync()
  segment.bytes = loaded.end
}

async function snapshotOf(disk: Disk, { header }: Segment): Promise<LogSnapshot | null> {
  if (header.baseIndex === 0) return null
  const path = snapshotPath(header.baseIndex)
  const snapshot = await readSnapshot(disk, header.baseIndex)
  if (!snapshot) throw damaged(path, 'it is missing')
  if (snapshot.term !== header.baseTerm) throw damaged(path, 'its term is not the expected one')
  return snapshot
}

function replay(
  segment: Segment,
  loaded: LoadedSegment,
): Pick<Recovered, 'hardState' | 'commit' | 'entries' | 'grown' | 'sealed'> {
  const { header, path } = segment
  const index = indexOf(loaded, header, path)
  segment.index = index
  const grown = { entries: 0, bytes: 0 }
  const entries: LogEntry[] = []
  let hardState: HardState | null = null
  let content: FrameContent | null = null
  for (const [i, frame] of loaded.frames.entries()) {
    content = contentIn(loaded.bytes, frame, path)
    hardState = content.hardState ?? hardState
    if (frame.count > 0) entries.length = frame.first - header.baseIndex - 1
    for (const entry of content.entries) entries.push(entry)
    if (i > 0) {
      grown.entries += frame.count
      grown.bytes += frame.bytes
    }
  }
  if (!content || !hardState) throw damaged(path, 'its first frame is not what was written')
  if (content.commit > index.last) throw damaged(path, 'more is committed than it holds')
  const stopped = content.entries.length === 0 && content.hardState === null
  const sealed = stopped || loaded.frames.length === 1
  return { hardState, commit: content.commit, entries, grown, sealed }
}
