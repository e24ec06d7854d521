// The style of swarmdisk as a test: reads every source file and says, with the line, what the house
// rules forbid and what to use instead. Numbers are ratchets: they may only go down.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import test from 'tape'

const root = fileURLToPath(new URL('..', import.meta.url))
const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
const PARAMETERS_MAX = 3
const FOLDER_FILES_MAX = 14
const LINE_LENGTH_MAX = 100

interface Source {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly tree: ts.SourceFile
}

function sources(...folders: readonly string[]): Source[] {
  return folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map(name => load(join(folder, name))),
  )
}

function load(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
  return { path, text, lines: text.split('\n'), tree }
}

const production = sources('src')
const all = [...production, ...sources('test', 'bench')]

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  node.forEachChild(child => visit(child, see))
}

function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1
}

function report(t: test.Test, what: string, findings: readonly string[]): void {
  t.deepEqual(findings, [], what)
}

/** What may not be called outside the one file made for it, and what to use instead. */
const BANNED: readonly {
  readonly pattern: RegExp
  readonly instead: string
  readonly except: RegExp
}[] = [
  {
    pattern: /\bDate\.now\(|new Date\(|performance\.now\(/,
    instead: 'Clock',
    except: /^src\/(base\/clock|cli\/)/,
  },
  {
    pattern: /\bset(Timeout|Interval|Immediate)\(/,
    instead: 'Clock.after',
    except: /^src\/(base\/clock|cli\/)/,
  },
  { pattern: /\bMath\.random\(|\brandomBytes\(/, instead: 'Random', except: /^src\/base\/random/ },
  { pattern: /\bconsole\./, instead: 'Log', except: /^$/ },
  { pattern: /\bas any\b|: any\b|<any>/, instead: 'unknown', except: /^$/ },
  { pattern: /\b(FIXME|TODO|XXX)\b/, instead: 'an issue', except: /^$/ },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, instead: 'a type that is true', except: /^$/ },
  {
    pattern: /\beslint-disable(?!-next-line [\w@/-]+ -- )/,
    instead: 'the rule, or one line with its reason',
    except: /^$/,
  },
]

test('banned calls', t => {
  for (const { pattern, instead, except } of BANNED) {
    const found = production
      .filter(source => !except.test(source.path))
      .flatMap(source => hits(source, pattern))
    report(t, `${pattern.source}: use ${instead}`, found)
  }
  t.end()
})

function hits(source: Source, pattern: RegExp): string[] {
  return source.lines.flatMap((line, i) =>
    pattern.test(line) && !/^\s*(\/\/|\/?\*)/.test(line) ? [`${source.path}:${i + 1}`] : [],
  )
}

test('sizes', t => {
  // All limits stand in one file, with their reasons: a table.
  const isTable = (path: string): boolean => path === 'src/base/limits.ts'
  const long = ({ lines, path }: Source): boolean =>
    lines.length > FILE_LINES_MAX && !path.startsWith('test/') && !isTable(path)
  report(
    t,
    `files have at most ${FILE_LINES_MAX} lines`,
    all.filter(long).map(source => source.path),
  )
  const wide = all.flatMap(source =>
    source.lines.flatMap((line, i) =>
      line.length > LINE_LENGTH_MAX ? [`${source.path}:${i + 1}`] : [],
    ),
  )
  report(t, `lines have at most ${LINE_LENGTH_MAX} characters`, wide)
  report(t, `functions have at most ${FUNCTION_LINES_MAX} lines`, production.flatMap(longFunctions))
  report(
    t,
    `functions take at most ${PARAMETERS_MAX} parameters`,
    production.flatMap(wideFunctions),
  )
  t.end()
})

function longFunctions(source: Source): string[] {
  const found: string[] = []
  visit(source.tree, node => {
    if (!ts.isFunctionLike(node)) return
    const end = source.tree.getLineAndCharacterOfPosition(node.end).line + 1
    const length = end - lineOf(source, node) + 1
    if (length > FUNCTION_LINES_MAX)
      found.push(`${source.path}:${lineOf(source, node)} (${length})`)
  })
  return found
}

/** Peers.request: who, what, with what, and how long; an object for each request would be waste. */
const WIDE = new Set(['request'])

function wideFunctions(source: Source): string[] {
  const found: string[] = []
  visit(source.tree, node => {
    if (!ts.isFunctionLike(node) || node.parameters.length <= PARAMETERS_MAX) return
    // The arguments of a callback are chosen by the library that calls it.
    if (ts.isArrowFunction(node) || ts.isFunctionTypeNode(node)) return
    if (node.name && WIDE.has(node.name.getText(source.tree))) return
    found.push(`${source.path}:${lineOf(source, node)}`)
  })
  return found
}

test('folders', t => {
  const counts = new Map<string, number>()
  for (const { path } of production) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
  const full = [...counts].filter(([, count]) => count > FOLDER_FILES_MAX)
  report(
    t,
    `folders hold at most ${FOLDER_FILES_MAX} files`,
    full.map(([folder, n]) => `${folder}: ${n}`),
  )
  const named = all.filter(
    source => !/^[a-z0-9-]+(\.test)?\.ts$/.test(source.path.split('/').pop() ?? ''),
  )
  report(
    t,
    'files are named in kebab-case',
    named.map(source => source.path),
  )
  t.end()
})

test('every file opens with a comment on what it is', t => {
  const opens = (source: Source): boolean =>
    source.text.startsWith('//') || source.text.startsWith('/*')
  report(
    t,
    'opening comment',
    production.filter(source => !opens(source)).map(source => source.path),
  )
  t.end()
})

/** Who may import whom (style guide, "The house"). Folders not named may import everything. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  disk: ['base'],
  layout: ['base'],
  snapshot: ['base', 'layout'],
  net: ['base', 'layout', 'snapshot'],
  manager: ['base', 'net', 'disk', 'snapshot', 'layout'],
  storage: ['base', 'net', 'disk', 'snapshot', 'layout'],
  client: ['base', 'net', 'disk', 'snapshot', 'layout'],
  fuse: ['base', 'client'],
}
/** No node: modules and no packages. */
const PURE = /^src\/(layout|snapshot)\/|-state\.ts$|^src\/manager\/raft\//

function imports(source: Source): string[] {
  return ts.preProcessFile(source.text, true, true).importedFiles.map(file => file.fileName)
}

test('import direction', t => {
  const wrong = production.flatMap(source => {
    const folder = source.path.split('/')[1] ?? ''
    const allowed = IMPORTS[folder]
    return imports(source)
      .filter(name => name.startsWith('.'))
      .map(
        name =>
          relative(join(root, 'src'), resolve(root, dirname(source.path), name)).split('/')[0] ??
          '',
      )
      .filter(target => allowed && target !== folder && !allowed.includes(target))
      .map(target => `${source.path} imports ${target}`)
  })
  report(t, 'folders import only what lies below them', wrong)
  const impure = production
    .filter(source => PURE.test(source.path))
    .flatMap(source =>
      imports(source)
        .filter(name => !name.startsWith('.'))
        .map(name => `${source.path} imports ${name}`),
    )
  report(t, 'pure parts import neither node: modules nor packages', impure)
  t.end()
})

test('no file that nobody imports', t => {
  const imported = new Set(
    all.flatMap(source =>
      imports(source)
        .filter(name => name.startsWith('.'))
        .map(name => join(dirname(source.path), name).replace(/\.js$/, '.ts')),
    ),
  )
  const roots = /^src\/(commands\/|cli\/(main|demo)\.ts)/
  const lonely = production.filter(source => !roots.test(source.path) && !imported.has(source.path))
  report(
    t,
    'orphans',
    lonely.map(source => source.path),
  )
  t.end()
})

test('no test is switched off or alone', t => {
  const off = all
    .filter(source => source.path.endsWith('.test.ts') && source.path !== 'test/tidy.test.ts')
    .flatMap(source => hits(source, /\b(test|t)\.(only|skip)\(/))
  report(t, 'only and skip', off)
  t.end()
})
