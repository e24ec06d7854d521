// One live process per data directory. The lock is a file that names its holder; a holder that is
// gone (kill -9, reboot) holds nothing. Taking over a dead lock is exclusive: the new lock is
// linked into place, and only one of several contenders can rename the dead one away.
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { SwarmdiskError } from '../../base/errors.js'
import { isAlive, isProcessMark, ownMark, type ProcessMark } from './live-process.js'

export interface ProcessLock {
  release(): void
}

export function takeLock(path: string, what: string): ProcessLock {
  const own = `${path}.${process.pid}`
  writeFileSync(own, JSON.stringify(ownMark()), { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (linkInto(own, path)) return { release: () => releaseLock(path) }
      const holder = readHolder(path)
      if (holder && isAlive(holder)) {
        throw new SwarmdiskError(
          'in-use',
          `${what} is in use by process ${holder.pid}: stop that process first, or use another ` +
            'directory.',
        )
      }
      moveAway(path)
    }
  } finally {
    unlinkSync(own)
  }
  throw new SwarmdiskError('in-use', `${what} is being taken by another process: try again.`)
}

function linkInto(own: string, path: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Who has the lock, or ended without releasing it; null if nobody, or if it cannot be read. */
export function readHolder(path: string): ProcessMark | null {
  try {
    const mark: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isProcessMark(mark) ? mark : null
  } catch {
    // Gone meanwhile, or torn by a crash of the host: either way nobody holds it.
    return null
  }
}

function moveAway(path: string): void {
  const aside = `${path}.dead.${process.pid}`
  try {
    renameSync(path, aside)
  } catch (error) {
    // Another contender was first; the next attempt sees what it did.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  // Between reading and renaming, a contender may have put its live lock there: give it back.
  const holder = readHolder(aside)
  if (holder && isAlive(holder)) linkInto(aside, path)
  unlinkSync(aside)
}

function releaseLock(path: string): void {
  const holder = readHolder(path)
  if (holder?.pid === process.pid) unlinkSync(path)
}
