// What a scrub has found, for people: what is wrong first, then what it could not look at.
import type { ErrorCode } from '../../base/errors.js'
import {
  verdictOf,
  type DifferentResult,
  type PlaceResult,
  type RottenResult,
  type ScrubResult,
  type UncheckedResult,
} from '../../client/scrub/scrub-report.js'
import { formatSize } from '../size.js'
import { renderTable, type Column } from './table.js'

const OUTCOMES: Readonly<Record<RottenResult['outcome'], string>> = {
  reported: 'not repaired, as was asked',
  repaired: 'repaired',
  'no-copy': 'no good copy',
  'not-now': 'not repaired: run it again',
}

const FLAWS: Readonly<Record<RottenResult['flaw'], string>> = {
  data: 'content',
  unreadable: 'cannot be read',
}

function placeColumns<Row extends PlaceResult>(): readonly Column<Row>[] {
  return [
    { title: 'OFFSET', align: 'right', cell: one => String(one.offset) },
    { title: 'SHARD', align: 'right', cell: one => String(one.shard) },
    { title: 'LAYER', align: 'right', cell: one => String(one.layer) },
    { title: 'BLOCK', align: 'right', cell: one => String(one.block) },
  ]
}

export function renderScrub(result: ScrubResult): string {
  const { rotten, different, unchecked, leftOut } = result
  const parts = [summary(result)]
  if (rotten.length > 0) {
    const table = renderTable(rotten, [
      ...placeColumns<RottenResult>(),
      { title: 'SERVER', cell: one => one.server },
      { title: 'ROTTEN', cell: one => FLAWS[one.flaw] },
      { title: 'OUTCOME', cell: one => OUTCOMES[one.outcome] },
    ])
    parts.push(table + more(leftOut.rotten))
  }
  if (different.length > 0) {
    const table = renderTable(different, [
      ...placeColumns<DifferentResult>(),
      { title: 'REPLICAS THAT DIFFER', cell: versionsText },
    ])
    parts.push(table + more(leftOut.different))
  }
  if (unchecked.length > 0) {
    parts.push(unchecked.map(uncheckedText).join('\n') + more(leftOut.unchecked))
  }
  return parts.join('\n\n')
}

function summary({
  volume,
  bytes,
  replicas,
  rotten,
  different,
  leftOut,
  ...rest
}: ScrubResult): string {
  const read = `${formatSize(bytes)} read, ${replicas} copies of shards checked whole`
  const bad = rotten.length + leftOut.rotten
  const unequal = different.length + leftOut.different
  const found =
    bad + unequal === 0
      ? 'nothing is wrong in them'
      : `${bad} rotten, of which ${rest.repaired} repaired; ${unequal} different`
  return `volume ${volume}: ${read}; ${found}`
}

function versionsText({ versions }: DifferentResult): string {
  return versions
    .map(({ servers, state, epoch, checksum }) => {
      const content = state === 'data' ? `crc32 ${checksum.toString(16).padStart(8, '0')}` : state
      return `${servers.join(', ')}: ${content} of epoch ${epoch}`
    })
    .join('; ')
}

function uncheckedText({ server, reason, shards }: UncheckedResult): string {
  const who = server === null ? '' : ` on ${server}`
  return `not checked${who}, ${shardsText(shards)}: ${reason}`
}

/** Most are neighbours: 0-7, 9. */
export function shardsText(shards: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const shard of shards) {
    const last = ranges.at(-1)
    if (last && last[1] + 1 === shard) last[1] = shard
    else ranges.push([shard, shard])
  }
  const text = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  return `${shards.length === 1 ? 'shard' : 'shards'} ${text.join(', ')}`
}

function more(count: number): string {
  return count === 0 ? '' : `\n… and ${count} more`
}

export interface ScrubFailure {
  readonly code: Extract<ErrorCode, 'corrupt' | 'incomplete'>
  readonly sentence: string
}

/** Null: all is well. */
export function scrubFailure(result: ScrubResult): ScrubFailure | null {
  const { volume } = result
  switch (verdictOf(result)) {
    case 'well':
      return null
    case 'wrong':
      return {
        code: 'corrupt',
        sentence:
          `Volume ${volume} has blocks that are rotten or differ and were not repaired: see ` +
          '"When a scrub finds something" in docs/operations.md.',
      }
    case 'incomplete':
      return {
        code: 'incomplete',
        sentence:
          `Not every copy of volume ${volume} was checked: see to the servers named as not ` +
          'checked ("swarmdisk status"), and run the scrub again.',
      }
  }
}
