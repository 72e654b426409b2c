//! A small disk of a test's own: it can be filled, and it can lose what was not synced, which
//! nothing does that only kills the program.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    server::Home,
    tools::{find, output, run, script},
};

/// What is written at once while the disk is filled.
const BLOCK: usize = 64 * 1_024;

/// A mounted disk, unmounted with this value.
pub(crate) struct SmallDisk {
    at: PathBuf,
    /// The file that holds it; none if it is in memory.
    image: Option<PathBuf>,
}

impl SmallDisk {
    /// A disk in memory: quick, and gone with the machine.
    pub(crate) fn in_memory(home: &Home, mib: u32) -> Result<Self, String> {
        let disk = Self { at: place(home), image: None };
        let size = format!("size={mib}m");
        let options = ["-t", "tmpfs", "-o", &size, "wardline-e2e"];
        as_root(Command::new("mount").args(options).arg(&disk.at))?;
        Ok(disk)
    }

    /// A disk of blocks with a journalling file system, ext4, as a server has it.
    pub(crate) fn of_blocks(home: &Home, mib: u32) -> Result<Self, String> {
        let image = home.path().join("disk.img");
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(u64::from(mib) << 20).map_err(|error| error.to_string())?;
        let make = find("mkfs.ext4").or_else(|| {
            let sbin = PathBuf::from("/usr/sbin/mkfs.ext4");
            sbin.is_file().then_some(sbin)
        });
        let make = make.ok_or("mkfs.ext4 is missing; install e2fsprogs")?;
        // Nothing is kept for root, whom the program under test may be.
        as_root(Command::new(make).args(["-q", "-F", "-m", "0"]).arg(&image))?;
        let disk = Self { at: place(home), image: Some(image) };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        let Some(image) = &self.image else { return Ok(()) };
        as_root(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&self.at))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// How much is used of what files may take, in percent, rounded up.
    pub(crate) fn used_percent(&self) -> u64 {
        let mut df = Command::new("df");
        let told = run(df.args(["-B1", "--output=used,avail"]).arg(&self.at));
        let numbers = told.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
        let numbers: Vec<u64> = numbers.collect();
        let [used, free] = numbers[..] else { panic!("`{told}` is no use of a disk") };
        (used * 100).div_ceil(used + free)
    }

    /// Takes room until so much is used.
    pub(crate) fn fill_to(&self, percent: u64) {
        let mut filler = fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        while self.used_percent() < percent {
            (0..16).for_each(|_| filler.write_all(&[7; BLOCK]).unwrap());
        }
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        while filler.write_all(&[7; BLOCK]).is_ok() {}
        while filler.write_all(&[7]).is_ok() {}
    }

    /// Gives the room back that was taken.
    pub(crate) fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Nothing reaches the disk any more, and what was not synced never did.
    pub(crate) fn cut_power(&self, python: &Path) {
        run(Command::new(python).arg(script("cut_power.py")).arg(&self.at));
    }

    /// Mounts it again after [`Self::cut_power`]; nobody may hold a file of it.
    pub(crate) fn power_on(&self) {
        run(Command::new("umount").arg(&self.at));
        self.mount().unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        output(Command::new("umount").arg(&self.at));
    }
}

fn place(home: &Home) -> PathBuf {
    let place = home.path().join("disk");
    fs::create_dir(&place).unwrap();
    place
}

fn as_root(command: &mut Command) -> Result<(), String> {
    let tried = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
    if tried.status.success() {
        Ok(())
    } else {
        Err(format!("no small disk can be mounted; run as root ({why})"))
    }
}
