// Telling whether the process that left a mark behind still lives: a pid alone may have been given
// to another process since, so the mark carries the start time of the process as well.
import { readFileSync, readlinkSync } from 'node:fs'
import { STOP_DEADLINE_MS } from '../../base/limits.js'

/** The kernel tells nobody but a parent that a process ended, so others have to look. */
const GONE_INTERVAL_MS = 20

export interface ProcessMark {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly started: string
  /** Where its pid means something; marks of older releases have none. */
  readonly where?: string
}

export function ownMark(): ProcessMark {
  return { pid: process.pid, started: startTime(process.pid) ?? '', where: here() }
}

export function isAlive(mark: ProcessMark): boolean {
  return startTime(mark.pid) === mark.started
}

/**
 * Whether the process has ended, for certain: it was one of this host, since this boot, among the
 * processes that this one can see. Of others, also in a copy of a folder, nothing can be told.
 */
export function isGone(mark: ProcessMark): boolean {
  const where = here()
  if (where === '' || mark.where !== where) return false
  const started = startTime(mark.pid)
  return started === null ? isNoProcess(mark.pid) : started !== mark.started
}

/** That nothing is seen of it is not enough: /proc may hide processes. */
function isNoProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** This boot of this kernel, and the names that pids have here; empty where that is not told. */
function here(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    // Nothing is known for certain then.
    return ''
  }
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
