// Makes a copy of the sources with one rule left out. The texts to replace are exact: where they
// are not found once and only once, the mutant has rotted, and that is an error.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Edit, Mutant } from './mutant.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The changed texts by file; throws if the mutant has rotted. */
export function mutated(mutant: Mutant): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const edit of mutant.edits) {
    const text = texts.get(edit.file) ?? readFileSync(join(ROOT, 'src', edit.file), 'utf8')
    texts.set(edit.file, edited(text, edit, mutant.name))
  }
  return texts
}

function edited(text: string, { file, find, replace }: Edit, name: string): string {
  const parts = text.split(find)
  if (parts.length !== 2) {
    throw new Error(
      `mutant ${name}: found ${parts.length - 1} times, not once, in ${file}:\n${find}`,
    )
  }
  return parts.join(replace)
}

/** A folder with the mutant's sources and the simulator; the function returned removes it. */
export function copyOf(mutant: Mutant): { readonly root: string; readonly remove: () => void } {
  const texts = mutated(mutant)
  const root = mkdtempSync(join(tmpdir(), 'swarmdisk-mutant-'))
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json']) {
    cpSync(join(ROOT, name), join(root, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  for (const [file, text] of texts) writeFileSync(join(root, 'src', file), text)
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) }
}
