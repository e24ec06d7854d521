// Telling whether the process that left a mark behind still lives: a pid alone may have been given
// to another process since, so the mark carries the start time of the process as well.
import { readFileSync } from 'node:fs'
import { STOP_DEADLINE_MS } from '../../base/limits.js'

/** The kernel tells nobody but a parent that a process ended, so others have to look. */
const GONE_INTERVAL_MS = 20

export interface ProcessMark {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly started: string
}

export function ownMark(): ProcessMark {
  return { pid: process.pid, started: startTime(process.pid) ?? '' }
}

export function isAlive(mark: ProcessMark): boolean {
  return startTime(mark.pid) === mark.started
}

export function isProcessMark(value: unknown): value is ProcessMark {
  const mark = value as Partial<ProcessMark> | null
  return (
    typeof mark === 'object' && Number.isSafeInteger(mark?.pid) && typeof mark?.started === 'string'
  )
}

function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name, in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie no longer runs, whatever it held is released.
    return fields[0] === 'Z' ? null : (fields[19] ?? null)
  } catch {
    // No such process: that is the answer.
    return null
  }
}

/** Waits, with a bound, for a process that is on its way out. */
export async function untilGone(mark: ProcessMark): Promise<void> {
  const end = performance.now() + STOP_DEADLINE_MS
  while (isAlive(mark) && performance.now() < end) {
    await new Promise(resolve => setTimeout(resolve, GONE_INTERVAL_MS))
  }
}
