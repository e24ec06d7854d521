// Memory and CPU time of processes, as the kernel counts them in /proc.
import { readFileSync } from 'node:fs'
import { assert } from '../../src/base/assert.js'

export interface Footprint {
  /** MiB in memory now. */
  readonly resident: number
  /** The most there ever was. */
  readonly peak: number
}

/** Linux tells every program this, whatever the kernel uses within. */
const TICKS_PER_SECOND = 100
const KIB_PER_MIB = 1024

export function footprintOf(pid: number): Footprint {
  return parseStatus(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

/** Seconds that these processes have computed, in user mode and in the kernel. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')), 0)
}

/** Of /proc/PID/status. */
export function parseStatus(text: string): Footprint {
  const field = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
    assert(kibibytes !== undefined, 'a process that lives has memory')
    return Number(kibibytes) / KIB_PER_MIB
  }
  return { resident: field('VmRSS'), peak: field('VmHWM') }
}

/** Of /proc/PID/stat. The second field is a name in brackets, in which anything may stand. */
export function parseStat(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [Number(fields[11]), Number(fields[12])]
  assert(Number.isInteger(user) && Number.isInteger(system), 'ticks are whole numbers')
  return (user + system) / TICKS_PER_SECOND
}
