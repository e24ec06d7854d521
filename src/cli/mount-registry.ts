// Which processes of this host serve which mounts: each writes one file in the run folder, and its
// mark dies with it, because readers drop the entries of processes that no longer live.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isAlive, isProcessMark, ownMark, type ProcessMark } from './processes/live-process.js'
import { writePlainFile } from '../disk/plain-file.js'
import { runFolder } from './processes/run-folder.js'

export interface ServedMount {
  /** Absolute, as prepareMountPoint() gave it. */
  readonly mountPoint: string
  readonly process: ProcessMark
  /** The control socket of the process, if it has one. */
  readonly socket?: string
}

export class MountRegistry {
  readonly #folder: string

  constructor(options: { readonly folder?: string } = {}) {
    this.#folder = options.folder ?? join(runFolder(), 'mounts')
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
  }

  /** For the calling process. The answer takes the entry out again. */
  add(mount: { readonly mountPoint: string; readonly socket?: string }): () => void {
    const path = this.#path(mount.mountPoint)
    writePlainFile(path, JSON.stringify({ ...mount, process: ownMark() } satisfies ServedMount))
    return () => rmSync(path, { force: true })
  }

  /** By mount point. */
  list(): readonly ServedMount[] {
    return readdirSync(this.#folder)
      .filter(name => name.endsWith('.json'))
      .flatMap(name => this.#read(join(this.#folder, name)))
      .sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1))
  }

  find(mountPoint: string): ServedMount | null {
    return this.#read(this.#path(mountPoint))[0] ?? null
  }

  #path(mountPoint: string): string {
    const hash = createHash('sha256').update(mountPoint).digest('hex').slice(0, 24)
    return join(this.#folder, `${hash}.json`)
  }

  #read(path: string): ServedMount[] {
    const mount = parse(path)
    if (mount === null) return []
    if (isAlive(mount.process)) return [mount]
    rmSync(path, { force: true })
    return []
  }
}

function parse(path: string): ServedMount | null {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // Taken out meanwhile, or not JSON and so not ours.
    if (error instanceof SyntaxError) return null
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  if (typeof value !== 'object' || value === null) return null
  const { mountPoint, process, socket } = value as Partial<Record<keyof ServedMount, unknown>>
  if (typeof mountPoint !== 'string' || !isProcessMark(process)) return null
  return typeof socket === 'string' ? { mountPoint, process, socket } : { mountPoint, process }
}
