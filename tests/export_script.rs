//! scripts/export.py refuses what it can before PyTorch is imported or anything is downloaded, in one sentence.

use std::path::Path;
use std::process::Command;

fn refusal(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/export.py");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nets.py"), "raise SystemExit('the file was run')\n").unwrap();
    std::fs::write(folder.path().join("there.onnx"), "").unwrap();
    let run = Command::new("python3").arg(script).args(arguments).current_dir(folder.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn what_cannot_be_exported_is_said_at_once() {
    let cases: [(&[&str], &str); 8] = [
        (&["timm:resnet18", "--seed", "0", "there.onnx"], "--force"),
        (&["resnet18", "--seed", "0", "new.onnx"], "neither timm:NAME nor torchvision:NAME nor FILE.py:FUNCTION"),
        (&["gone.py:make", "new.onnx"], "gone.py is not a file"),
        (&["nets.py:make", "--pretrained", "new.onnx"], "--checkpoint FILE, or nothing"),
        (&["nets.py:make", "--classes", "3", "new.onnx"], "let make make the network"),
        (&["timm:resnet18", "new.onnx"], "--pretrained, --checkpoint FILE or --seed N"),
        (&["timm:resnet18", "--checkpoint", "gone.pth", "new.onnx"], "gone.pth is not a file"),
        (&["timm:", "--seed", "0", "new.onnx"], "neither"),
    ];
    for (arguments, words) in cases {
        let said = refusal(arguments);
        assert!(said.contains(words), "{said}");
    }
}
