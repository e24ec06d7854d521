// The data directory of a manager or a storage server: which cluster and role it belongs to, the
// identity of its process, the number of its starts, and the lock that keeps a second process out.
//
//   lock              the live process (process-lock.ts)
//   swarmdisk.json    format, role, fingerprint of the cluster key; written last, so that a
//                     directory without it was never used
//   identity          seed of the Noise key pair, hexadecimal, mode 0600
//   cluster-key       z-base-32, mode 0600
//   starts            the incarnation: how often the process was started
//   <role>/           what the role keeps: history, blocks; and `owner`, the identity it is of
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { incarnation, type Incarnation } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { systemRandom } from '../../base/random.js'
import { ClusterKey } from '../../net/cluster-key.js'
import { IDENTITY_SEED_BYTES, keyPairFromSeed, type KeyPair } from '../../net/identity.js'
import { KEY_FILE } from './cluster-access.js'
import { writePlainFile } from '../../disk/plain-file.js'
import { isAlive, isGone } from './live-process.js'
import { readHolder, takeLock, type ProcessLock } from './process-lock.js'

export type DataRole = 'manager' | 'storage'

export interface DataDirectory {
  readonly path: string
  readonly keyPair: KeyPair
  readonly incarnation: Incarnation
  /** Where the role keeps its own files. */
  readonly roleFolder: string
  /** True if this start made it. */
  readonly fresh: boolean
  release(): void
  /** Releases it, and takes back what a first start made that did not come up. */
  discard(): void
}

export interface DataDirectoryOptions {
  readonly path: string
  readonly role: DataRole
  readonly key: ClusterKey
}

interface Description {
  readonly format: number
  readonly role: DataRole
  readonly cluster: string
}

const FORMAT = 1
const DESCRIPTION = 'swarmdisk.json'
const IDENTITY = 'identity'
const STARTS = 'starts'
const OWNER = 'owner'
const RESTORE = 'restore it from a copy, or start with an empty directory.'
const OWN_FILES = new Set(['lock', KEY_FILE, IDENTITY, STARTS, 'manager', 'storage', 'lost+found'])

function isOwn(name: string): boolean {
  return OWN_FILES.has(name.replace(/\.new$/, '')) || name.startsWith('lock.')
}

/** What is known of the process that had a data directory last. */
export type LastProcess =
  /** For certain, and without releasing the directory. */
  | { readonly kind: 'gone'; readonly keyPair: KeyPair; readonly incarnation: Incarnation }
  | { readonly kind: 'lives'; readonly pid: number }
  /** It ended in order. */
  | { readonly kind: 'released' }
  /** It was one of another host, or of this one before it was booted again. */
  | { readonly kind: 'unknown' }

/** Changes nothing. */
export function lastProcess(options: DataDirectoryOptions): LastProcess {
  const { path } = options
  const known = readDescription(path)
  if (!known) {
    const reason = `${path} is not the data directory of a ${options.role}: check --data.`
    throw new SwarmdiskError('not-found', reason)
  }
  checkDescription(known, options)
  const lock = join(path, 'lock')
  const holder = readHolder(lock)
  if (!holder) return { kind: existsSync(lock) ? 'unknown' : 'released' }
  if (isAlive(holder)) return { kind: 'lives', pid: holder.pid }
  const [seed, starts] = [readSeed(path), readStarts(path)]
  // A new process takes the lock before it counts its start: the number is that of this holder.
  const same = isDeepStrictEqual(readHolder(lock), holder)
  if (!same || !isGone(holder) || starts === 0) return { kind: 'unknown' }
  return { kind: 'gone', keyPair: keyPairFromSeed(seed), incarnation: incarnation(starts) }
}

/** Takes the directory for this process; makes a new one where there is none. */
export function openDataDirectory(options: DataDirectoryOptions): DataDirectory {
  const { path } = options
  makeFolder(path)
  const lock = takeLock(join(path, 'lock'), `The data directory ${path}`)
  try {
    return describe(options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

function describe(options: DataDirectoryOptions, lock: ProcessLock): DataDirectory {
  const { path, role, key } = options
  const known = readDescription(path)
  if (known) checkDescription(known, options)
  else refuseForeignFiles(path)
  // The description goes first: without it, the rest is taken for never used. What was there
  // before this start, as where only the description was lost, is not ours to remove.
  const own = known ? [] : [DESCRIPTION, KEY_FILE, IDENTITY, STARTS, role]
  const made = own.filter(name => !existsSync(join(path, name)))
  const seed = known ? readSeed(path) : makeSeed(path)
  const starts = readStarts(path) + 1
  writePlainFile(join(path, STARTS), `${starts}\n`)
  const roleFolder = join(path, role)
  if (known) checkOwner(roleFolder, seed)
  else makeRoleFolder(roleFolder, seed)
  if (!known) {
    writePlainFile(join(path, KEY_FILE), `${key.reveal()}\n`)
    const description: Description = { format: FORMAT, role, cluster: key.fingerprint }
    writePlainFile(join(path, DESCRIPTION), `${JSON.stringify(description)}\n`)
  }
  return {
    path,
    keyPair: keyPairFromSeed(seed),
    incarnation: incarnation(starts),
    roleFolder,
    fresh: !known,
    release: () => lock.release(),
    discard: () => {
      for (const name of made) rmSync(join(path, name), { recursive: true, force: true })
      lock.release()
    },
  }
}

/**
 * A mark in the folder with the blocks or the history. Without it, somebody has emptied or swapped
 * that folder while identity and incarnation went on, and the cluster would take an empty disk for
 * one that holds every write.
 */
function makeRoleFolder(folder: string, seed: Uint8Array): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writePlainFile(join(folder, OWNER), `${ownerOf(seed)}\n`)
}

function checkOwner(folder: string, seed: Uint8Array): void {
  if (readIfThere(join(folder, OWNER))?.trim() === ownerOf(seed)) return
  throw new SwarmdiskError(
    'data-directory',
    `${folder} was emptied, or is of another data directory: put its content back, or start with ` +
      'an empty --data, as a new member of the cluster.',
  )
}

function ownerOf(seed: Uint8Array): string {
  return Buffer.from(keyPairFromSeed(seed).publicKey).toString('hex')
}

function makeFolder(path: string): void {
  try {
    if (!existsSync(path)) return makeFolders(resolve(path))
    if (!statSync(path).isDirectory()) {
      throw new SwarmdiskError(
        'data-directory',
        `${path} is not a directory: choose another --data.`,
      )
    }
  } catch (error) {
    if (error instanceof SwarmdiskError) throw error
    throw new SwarmdiskError(
      'data-directory',
      `The data directory ${path} cannot be made or opened: check its path and rights.`,
      { cause: error },
    )
  }
}

/** Not mkdir's own `recursive`, which never returns where the kernel allows no folders (/proc). */
function makeFolders(path: string): void {
  const parent = dirname(path)
  if (!existsSync(parent)) makeFolders(parent)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process that starts at the same time has made it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function readDescription(path: string): Description | null {
  const text = readIfThere(join(path, DESCRIPTION))
  if (text === null) return null
  try {
    const value = JSON.parse(text) as Partial<Description>
    const { format, role, cluster } = value
    if (typeof format === 'number' && (role === 'manager' || role === 'storage') && cluster) {
      return { format, role, cluster }
    }
  } catch {
    // Not JSON: the sentence below says what that means.
  }
  throw new SwarmdiskError('data-directory', `${join(path, DESCRIPTION)} is damaged: ${RESTORE}`)
}

function checkDescription(known: Description, { path, role, key }: DataDirectoryOptions): void {
  if (known.format > FORMAT) {
    throw new SwarmdiskError(
      'data-directory',
      `${path} was written by a newer swarmdisk: update swarmdisk on this host.`,
    )
  }
  if (known.role !== role) {
    throw new SwarmdiskError(
      'data-directory',
      `${path} is the data directory of a ${known.role}, not of a ${role}: choose another --data.`,
    )
  }
  if (known.cluster !== key.fingerprint) {
    throw new SwarmdiskError(
      'wrong-cluster',
      `${path} belongs to another cluster: give the key of that cluster, or choose another --data.`,
    )
  }
}

/** A directory full of other things is most likely a mistyped path. */
function refuseForeignFiles(path: string): void {
  const foreign = readdirSync(path).find(name => !isOwn(name))
  if (foreign === undefined) return
  throw new SwarmdiskError(
    'data-directory',
    `${path} holds other files (${foreign}): choose an empty or a new directory for --data.`,
  )
}

function makeSeed(path: string): Uint8Array {
  const seed = systemRandom.bytes(IDENTITY_SEED_BYTES)
  writePlainFile(join(path, IDENTITY), `${Buffer.from(seed).toString('hex')}\n`)
  return seed
}

function readSeed(path: string): Uint8Array {
  const text = readIfThere(join(path, IDENTITY))?.trim() ?? ''
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new SwarmdiskError(
      'data-directory',
      `${join(path, IDENTITY)} is missing or damaged: restore it from a copy; without it this ` +
        'process is a stranger to its cluster.',
    )
  }
  return Buffer.from(text, 'hex')
}

function readStarts(path: string): number {
  const text = readIfThere(join(path, STARTS))
  if (text === null) return 0
  if (/^\d{1,14}$/.test(text.trim())) return Number(text)
  throw new SwarmdiskError('data-directory', `${join(path, STARTS)} is damaged: ${RESTORE}`)
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new SwarmdiskError('data-directory', `${path} cannot be read: check its rights.`, {
      cause: error,
    })
  }
}
