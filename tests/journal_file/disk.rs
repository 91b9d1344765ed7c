//! The journal on the real disk: a reader on another thread while segments come and go, and a
//! small file system that fills up while traffic runs.

use crate::world::{NOW, Tested, entropy, key, options, record};
use pointsman::journal::{
    Backend, Bare, Batch, Class, DiskBackend, JournalError, Options, Reader, Recovered, Replayed,
    Retention, Writer, prune_checkpoints, recover, retire, write_checkpoint,
};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Recovers a folder; every record replayed must be the one written.
fn replay(backend: &dyn Backend, options: &Options) -> Result<Recovered, Box<dyn Error>> {
    let check = &mut |replayed: Replayed<'_>| match replayed {
        Replayed::Record { no, bytes } if bytes != record(no % 20_000) => Err(format!("{no}")),
        _ => Ok(()),
    };
    Ok(recover(backend, &key(), options, check)?)
}

fn start(folder: &Path, options: Options) -> Result<(Arc<dyn Backend>, Writer), Box<dyn Error>> {
    let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder)?);
    let recovered = replay(backend.as_ref(), &options)?;
    let held = Arc::clone(&backend);
    Ok((backend, Writer::start(held, key(), options, &recovered, entropy(1), NOW)?))
}

fn append(writer: &mut Writer, records: u64, class: Class) -> Result<u64, JournalError> {
    let mut batch = Batch::new(writer.next());
    for _ in 0..records {
        batch.push(record(batch.next() % 20_000));
    }
    writer.append(&mut batch, class, NOW)
}

#[test]
fn a_reader_on_another_thread_never_sees_anything_but_the_record_or_nothing() -> Tested {
    let folder = tempfile::tempdir()?;
    let (backend, mut writer) = start(folder.path(), options())?;
    let stop = Arc::new(AtomicBool::new(false));
    let (map, stopped) = (writer.map(), Arc::clone(&stop));
    let mut reader = Reader::new(Arc::clone(&backend), key(), writer.map());
    let reading = std::thread::spawn(move || -> Result<(u64, u64), String> {
        let (mut found, mut gone, mut at) = (0, 0, 1_u64);
        while !stopped.load(Ordering::Relaxed) || found == 0 {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let no = (at >> 33) % map.durable().max(1) + 1;
            match reader.read(no).map_err(|error| format!("record {no}: {error}"))? {
                Some(bytes) if bytes == record(no % 20_000) => found += 1,
                Some(_) => return Err(format!("record {no} is another one")),
                None => gone += 1,
            }
        }
        Ok((found, gone))
    });
    let retention = Retention { keep_ms: 0, archive: None };
    for turn in 0..300 {
        append(&mut writer, 60, Class::Ordinary)?;
        let upto = writer.sync()?;
        if turn % 20 == 0 {
            let map = writer.map();
            write_checkpoint(backend.as_ref(), &key(), &map, &mut entropy(upto), upto, b"state")?;
            let covered = prune_checkpoints(backend.as_ref(), 1)?.unwrap_or(0);
            retire(
                backend.as_ref(),
                &map,
                (&writer.shelf(), &writer.extent()),
                &retention,
                covered,
                NOW,
            )?;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (found, gone) = reading.join().map_err(|_| "the reader panicked")??;
    assert!(found > 0 && gone > 0, "{found} found, {gone} retired");
    Ok(())
}

/// Where the child of the next test finds its small file system.
const SMALL: &str = "POINTSMAN_TEST_SMALL_DISK";

/// Runs only as a child of the next test, inside a file system of 400 KiB.
#[test]
fn traffic_on_a_small_disk() -> Tested {
    let Some(folder) = std::env::var_os(SMALL) else { return Ok(()) };
    let folder = Path::new(&folder);
    let filler = folder.join("filler");
    let (backend, mut writer) = start(&folder.join("journal"), options())?;
    // Somebody else's file takes all the space there is, while traffic runs.
    let mut zeros = vec![0; 64 << 10];
    let mut file = std::fs::File::create(&filler)?;
    while !zeros.is_empty() {
        append(&mut writer, 5, Class::Ordinary)?;
        if std::io::Write::write_all(&mut file, &zeros).is_err() {
            zeros.truncate(zeros.len() / 2);
        }
    }
    let refused = loop {
        if let Err(error) = append(&mut writer, 30, Class::Ordinary) {
            break error;
        }
    };
    assert!(matches!(refused, JournalError::DiskFull), "{refused}");
    let before = writer.next();
    for _ in 0..10 {
        append(&mut writer, 10, Class::Essential)?;
    }
    assert_eq!(writer.next(), before + 100, "outcomes fit the reserve");
    let durable = writer.sync()?;
    assert!(matches!(writer.shelf().fill(), Err(Bare::Full(Some(_)))), "still full");
    drop(file);
    std::fs::remove_file(filler)?;
    writer.shelf().fill()?;
    append(&mut writer, 30, Class::Ordinary)?;
    let durable = writer.sync()?.max(durable);
    drop((writer, backend));
    let backend = DiskBackend::open(&folder.join("journal"))?;
    assert_eq!(replay(&backend, &options())?.next, durable + 1);
    println!("small disk survived");
    Ok(())
}

#[test]
fn a_small_file_system_fills_up_and_gets_well_while_traffic_runs() -> Tested {
    let folder = tempfile::tempdir()?;
    let (mount, test) = (folder.path().display(), std::env::current_exe()?);
    let script = format!(
        "mount -t tmpfs -o size=400k tmpfs {mount} && \
         exec {} --exact disk::traffic_on_a_small_disk --nocapture",
        test.display()
    );
    let child = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .env(SMALL, folder.path())
        .output();
    let Ok(child) = child else {
        println!("no unshare here: only the simulated disk was filled (failing.rs)");
        return Ok(());
    };
    let said = String::from_utf8_lossy(&child.stdout);
    let cause = String::from_utf8_lossy(&child.stderr);
    if !said.contains("running 1 test") {
        println!("no small file system here ({cause}): only the simulated disk was filled");
        return Ok(());
    }
    assert!(said.contains("small disk survived"), "{said}{cause}");
    Ok(())
}
